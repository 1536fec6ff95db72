"""Who is asked: exported and published models, and the controls beside them."""
