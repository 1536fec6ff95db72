"""Formats, names and units that every station shares.

Knows what passes between stations (recipes, plans, records, shards, manifests) and refuses to know
how any station does its work: no torch, no nanotron, no lm-eval, no plotting is imported here.
"""

__version__ = "0.1.0"
