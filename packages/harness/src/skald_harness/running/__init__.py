"""The station: models and tasks in, records out."""
