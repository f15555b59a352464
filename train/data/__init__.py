"""Labelled faces and pictures: read, told apart from their near-duplicates, split, listed."""
