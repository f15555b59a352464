"""The Edge TPU: its compiler, and what a file says about the chip without it."""
