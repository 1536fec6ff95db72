"""What was answered: the append-only store, its keys, and the records made of it."""
