"""The process of an engine whose driver may crash or hang: this module, run with -m and a socket as stdin.

The other end is `process_engine`. Both know the bundle, so pictures and answers are sent as plain bytes: a broken
driver can corrupt only a flag, a time and a length.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import struct
import sys
import time
from typing import Any, BinaryIO

import numpy as np

from edge.core.errors import MaskcamError
from edge.vision import bundle as bundles

OPEN, INFER = 0, 1
REQUEST = struct.Struct("<BB")
"""OPEN or INFER, and the index in the bundle's networks; INFER is followed by the picture, (height, width, 3) bytes."""
REPLY = struct.Struct("<?dI")
"""Success flag, seconds taken, number of bytes that follow: the outputs as float32, or an error text."""


class Worker:
    """Serves requests for the networks of one bundle on one engine."""

    def __init__(self, target: str, folder: str, threads: int, device: str) -> None:
        self._target, self._folder, self._threads, self._device = target, folder, threads, device
        self._engines: dict[int, Any] = {}

    def serve(self, requests: BinaryIO, replies: BinaryIO) -> None:
        """Serves until the other end closes."""
        while request := requests.read(REQUEST.size):
            verb, index = REQUEST.unpack(request)
            start = time.perf_counter()
            try:
                result = self._open(index) if verb == OPEN else self._infer(index, requests)
                good = True
            except Exception as error:
                result, good = _message(error).encode(), False
            replies.write(REPLY.pack(good, time.perf_counter() - start, len(result)) + result)
            replies.flush()

    def _open(self, index: int) -> bytes:
        self._bundle = bundles.load(self._folder)
        network = list(self._bundle.networks)[index]
        module, attribute = self._target.split(":")
        opener = getattr(importlib.import_module(module), attribute)
        self._engines[index] = opener(self._bundle, network, self._threads, self._device)
        return b""

    def _infer(self, index: int, requests: BinaryIO) -> bytes:
        size = list(self._bundle.networks.values())[index].input
        image = np.frombuffer(requests.read(size.height * size.width * 3), np.uint8)
        answer = self._engines[index].infer(image.reshape(size.height, size.width, 3))
        return b"".join(values.astype(np.float32).tobytes() for values in answer)


def _message(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, MaskcamError) else f"{type(error).__name__}: {text}"


def main(target: str, folder: str, threads: str, device: str) -> None:
    # Ctrl-C and a stop of the unit reach every process of the group, but only the service decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as link, link.makefile("rb") as requests, link.makefile("wb") as replies:
        Worker(target, folder, int(threads), device).serve(requests, replies)


if __name__ == "__main__":
    main(*sys.argv[1:])
