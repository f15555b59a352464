"""Where frames come from, a module per kind of camera."""
