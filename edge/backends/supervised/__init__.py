"""Engines in a process of their own, with a standby: a driver that hangs or crashes does not stop the camera."""
