"""From text to token shards: the synthetic sources, a user's own text, the tokenizer.

Knows documents, their splits and how they become tokens. Refuses to know models, training and
scores: it writes files (`data/`, `artifacts/corpus/`) and nobody imports its internals.
"""
