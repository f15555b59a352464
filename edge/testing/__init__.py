"""Fakes that remember what they saw, chosen by the same switch as the real parts."""
