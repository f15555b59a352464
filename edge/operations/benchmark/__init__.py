"""How fast this machine runs this bundle: the very pipeline that serves is timed, never a copy of it."""
