"""From a picture to faces and mask states: the bundle, preprocessing, decoding, and both networks."""
