"""The training loop: checkpoints, resuming, curves."""
