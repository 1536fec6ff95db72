"""Duplicates: exact ones by a hash of the normalised text, near ones by MinHash.

Of each cluster the document with the smallest id stays, so what is kept depends on the documents
alone: not on their order, on how they were divided into parts, on workers or on the machine.
"""
