"""The sources of frames, a module per kind of camera."""
