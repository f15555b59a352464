"""An engine in a process of its own, with a deadline: whatever its driver does, the camera continues."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.backends.supervised.worker import INFER, OPEN, REPLY, REQUEST
from edge.core.errors import EngineError
from edge.core.records import Image
from edge.vision.bundle import Bundle

log = logging.getLogger(__name__)

_abandoned: list[subprocess.Popen[bytes]] = []
"""Killed processes that had not ended yet at the last check."""


class ProcessEngine:
    """The service's side of the process. It hosts several networks, since only one process can use an Edge TPU.

    A socket pair carries the pictures: 0.3 MB takes a fraction of a millisecond, and unlike shared memory a socket
    leaves nothing behind and has timeouts.
    """

    def __init__(self, name: str, target: str, bundle: Bundle, threads: int, device: str) -> None:
        """Starts it; `target` is "module:attribute" of the engine's `open`, `name` is used in messages.

        Raises EngineError if the system cannot start another process.
        """
        _abandoned[:] = [process for process in _abandoned if process.poll() is None]
        self._name, self._bundle = name, bundle
        self.seconds = 0.0
        """Seconds that the engine itself took for its last answer."""
        self._socket, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-m",
            "edge.backends.supervised.worker",
            target,
            str(bundle.folder.resolve()),
            str(threads),
            device,
        ]
        packages = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
                cwd=Path(__file__).parents[3],  # python -m searches it first: it must not hold another "edge"
                env={**os.environ, "PYTHONPATH": packages},
            )
        except OSError as error:
            self._socket.close()
            raise EngineError(f"{name}: its process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()

    @property
    def alive(self) -> bool:
        """False after it has been abandoned."""
        return self._socket.fileno() >= 0

    def open(self, network: str, timeout: float) -> None:
        """Loads one of the bundle's networks. Raises EngineError, also if it takes more than `timeout` seconds."""
        self._ask(OPEN, network, b"", timeout)

    def infer(self, network: str, image: Image, timeout: float) -> Sequence[NDArray[Any]]:
        """See `Engine`. A process that crashes, or does not answer within `timeout` seconds, is abandoned."""
        spec = self._bundle.networks[network]
        if image.shape != (spec.input.height, spec.input.width, 3):
            raise EngineError(
                f"picture of shape {image.shape}, the network takes {spec.input.width}x{spec.input.height}"
            )
        values = np.frombuffer(self._ask(INFER, network, image.tobytes(), timeout), np.float32)
        shapes = list(spec.outputs.values())
        sizes = [int(np.prod(shape)) for shape in shapes]
        if len(values) != sum(sizes):
            raise EngineError(f"{self._name} answered {len(values)} values, expected {sum(sizes)}")
        parts = np.split(values, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def close(self, grace: float = 1.0) -> None:
        """Ends the process: it stops by itself when its stdin closes, or is killed after `grace` seconds."""
        self._socket.close()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            try:
                self._process.wait(2.0)
            except subprocess.TimeoutExpired:  # stuck in a driver: the kernel ends it later, nobody waits
                _abandoned.append(self._process)

    def _ask(self, verb: int, network: str, payload: bytes, timeout: float) -> bytearray:
        if not self.alive:
            raise EngineError(f"{self._name} is not running")
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(REQUEST.pack(verb, list(self._bundle.networks).index(network)) + payload)
            good, self.seconds, length = REPLY.unpack(self._receive(REPLY.size, deadline))
            answer = self._receive(length, deadline)
        except TimeoutError:
            self.close(grace=0.0)
            raise EngineError(f"{self._name} did not answer within {timeout:g} s") from None
        except OSError:
            self.close()
            raise EngineError(f"{self._name} crashed ({_ending(self._process.returncode)})") from None
        if not good:
            raise EngineError(answer.decode(errors="replace"))
        return answer

    def _receive(self, size: int, deadline: float) -> bytearray:
        """Exactly `size` bytes. Raises TimeoutError at the deadline, ConnectionError at the end of the stream."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))
            count = self._socket.recv_into(view)
            if not count:
                raise ConnectionError
            view = view[count:]
        return data


def _ending(code: int | None) -> str:
    """An exit status in words."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit status {code}"
