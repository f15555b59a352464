"""How fast this machine runs this bundle: the timed pipeline is the one that the service runs, not a copy of it."""
