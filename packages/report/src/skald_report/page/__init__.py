"""Blocks of a page, and the page as HTML and Markdown; knows no score."""
