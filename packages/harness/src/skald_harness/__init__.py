"""Evaluation of exported models with lm-eval: tasks, controls, and a record per item.

Knows how a model's answers become records; refuses to know how a model was trained or how records
become a page.
"""
