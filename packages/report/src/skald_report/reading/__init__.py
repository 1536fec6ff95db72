"""What the report reads from the other stations, checked."""
