"""Published scores of others, kept apart from every measured one."""
