"""The bundle: published whole or not at all, with its card, its limits and its known answers."""
