"""`maskcam-train inspect`: what a data set is, before hours are spent on it."""
