"""Operations on a device: check it, benchmark it, flash it, update it."""
