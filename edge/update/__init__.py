"""Updates that a device can trust and take back."""
