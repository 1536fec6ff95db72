"""Plans, recipes and fits as text to read."""
