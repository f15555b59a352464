"""`maskcam-train label`: says what faces are, in a page on this machine."""
