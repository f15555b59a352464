"""maskcam on the device: camera -> faces -> tracks -> verdicts -> decisions -> alerts."""

__version__ = "0.1.0"
