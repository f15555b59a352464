"""Inference backends, each with `open(bundle, network, threads, device) -> Engine`.

What may crash or hang runs in a process of its own and has a standby (`supervised`), and is tried before it is trusted
(`selection`, `self_test`).
"""
