"""Inference backends, each with `open(bundle, network, threads, device) -> Engine`.

What may crash or hang runs in a process of its own (`remote`), is tried before it is trusted (`probe`, `known`), and
has a standby when it fails at work (`choose`, `stage`, `accelerator`).
"""
