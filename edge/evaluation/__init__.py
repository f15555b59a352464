"""How right the networks are: annotated pictures in, figures out."""
