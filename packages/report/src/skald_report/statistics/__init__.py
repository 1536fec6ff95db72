"""Intervals, paired tests and corrections: numbers and clusters in, no model, language or task."""
