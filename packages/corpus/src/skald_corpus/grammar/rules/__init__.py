"""Linearisation: from an abstract sentence to words in the order of one language."""
