"""What a run needs and costs: memory by layout, operations, device hours."""
