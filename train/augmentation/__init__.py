"""What is drawn over training pictures, and what light and cameras do to them."""
