"""From a fit to decisions: predictions, published laws beside them, what to run next."""
