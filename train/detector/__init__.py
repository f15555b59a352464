"""The face detector: its network, its loss, its batches, its training."""
