"""The planner: from intent and the run table to a plan in which every number is resolved.

Knows laws, fits and rounding; refuses to know torch, and executes no run.
"""
