"""Which backend runs a network: measured, verified, and remembered."""
