"""Inference backends. Each module has `open(bundle, network, threads) -> Engine`."""
