"""Model cards: what a reader of an exported model must know, in the Hub's format."""
