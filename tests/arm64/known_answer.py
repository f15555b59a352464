"""Run inside the arm64 chroot: the CPU engine gives the shipped bundle's known answer on this processor."""

import platform
import time

from edge.backends import tflite
from edge.backends.registry import INT8
from edge.backends.self_test import check_known_answer
from edge.vision import bundle

loaded = bundle.load()
for network in ("detector", "classifier"):
    engine = tflite.open(loaded, network, threads=1)
    start = time.perf_counter()
    check_known_answer(loaded, network, engine.infer, INT8)
    seconds = time.perf_counter() - start
    where = f"{platform.machine()} Python {platform.python_version()}"
    print(f"{where}: {network} gives the known answer with {engine.runtime} ({seconds:.1f} s)")
