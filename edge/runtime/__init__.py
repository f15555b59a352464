"""What runs: the loop, the live service, a replay, and what they report."""
