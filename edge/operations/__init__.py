"""What a person does with a device: check it, time it, flash it, update it."""
