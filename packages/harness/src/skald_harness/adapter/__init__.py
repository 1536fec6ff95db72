"""The one door to lm-eval: its tasks are loaded here, and its models are ours.

Nothing outside this room imports lm_eval.
"""
