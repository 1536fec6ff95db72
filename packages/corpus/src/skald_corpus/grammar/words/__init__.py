"""The words, one data module for each language; every form is spelled out."""
