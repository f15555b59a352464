"""From a picture to faces and verdicts: the bundle, preprocessing, decoding, both networks' wrappers."""
