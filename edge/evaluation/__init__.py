"""Accuracy of the networks on annotated pictures."""
