"""The mask classifier: its network, its batches, its training, its report."""
