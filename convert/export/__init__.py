"""Keras to TFLite and ONNX, and the pictures that set the int8 ranges."""
