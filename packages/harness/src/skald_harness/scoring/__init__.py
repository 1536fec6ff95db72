"""Log-probabilities of token sequences: networks by a token trie or plainly, and byte counts.

Knows tensors, tokens and bytes; refuses to know tasks, files and models by name.
"""
