"""What is asked: suites and tasks as data under `evals/`, and the items they read.

Refuses to know models and lm-eval.
"""
