"""Inference backends, each with `open(bundle, network, threads, device) -> Engine`.

A backend that may crash or hang runs in a process of its own with a standby (`supervised`), and is tested before use
(`selection`, `self_test`).
"""
