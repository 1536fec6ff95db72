"""From a table of runs to `fit.json`: what the data say of learning rate and batch."""
