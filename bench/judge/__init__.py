"""A small cross-encoder that says whether cited sentences support a statement: its data, training and measurement."""
