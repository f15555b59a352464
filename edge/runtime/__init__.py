"""The loop, the live service, the replay, and their reports."""
