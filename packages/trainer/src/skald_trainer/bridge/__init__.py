"""The only door to nanotron 0.4.

`patches.apply` must run before any other module of this folder is imported; everything nanotron
breaks, and why each override is there, stands in `patches.PATCHES`.
"""
