"""Backbones, weights taken back from a bundle, and pruning."""
