"""Reports over time: what changed between two of them, whether it is noise, and the releases kept."""
