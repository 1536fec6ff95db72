"""Filters of single documents: each is a pure function of text and language, free of files."""
