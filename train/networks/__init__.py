"""The classifier's backbones, weights taken back from a bundle, and the detector computed by PyTorch."""
