"""Decontamination: find evaluation items inside training text, and take them out.

Knows n-grams of normalised words. Items come as plain strings, so that tasks of any harness can be
looked for without importing it.
"""
