"""Where events go: a light, a log, a stream of JSON lines, a list."""
