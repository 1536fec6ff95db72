"""Pages about training text: the data card and the ablation of corpora."""
