"""Training: nanotron's trainer behind one bridge, our own data order, checkpoints and metrics.

Reads a plan and a corpus, nothing else. Knows no recipe, fits no law.
"""
