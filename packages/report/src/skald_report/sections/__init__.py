"""What the page says and in which order, made from tables."""
