"""Trained Keras models, and what is folded into their last layers before they are exported."""
