"""Float against int8, new against old, and one input size against another."""
