"""The server: uvicorn in a thread, with limits against floods, idle connections and slow clients."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.web.access import REMEMBERED, network
from edge.web.turns import Turns
from edge.web.worker import Governor

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""Most open connections: each takes a file descriptor, which the camera or a light may need."""
ARRIVALS, ARRIVALS_AT_ONCE = 10.0, 32.0
"""Connections that one address may open per second, and at once after a pause."""
TICK = 1.0
"""Seconds between two ticks of the server while nothing is asked."""
PATIENCE = 15.0
"""Seconds in which a connection must send a whole request or, for a package, its next SLOWEST bytes, and in which it
must read something of what waits for it."""
SLOWEST = 16 << 10


class Door(socket.socket):
    """A listening socket that closes connections at once if one address opens too many.

    A connection accepted by asyncio and uvicorn would cost a hundred times as much.
    """

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def accept(self) -> tuple[socket.socket, Any]:
        for _ in range(64):
            connection, address = super().accept()
            if self.admits(network(address[0])):
                return connection, address
            connection.close()
        raise BlockingIOError  # the event loop will call again

    def admits(self, who: str) -> bool:
        """Whether another connection from there is accepted now."""
        known: OrderedDict[str, tuple[float, float]] = self.__dict__.setdefault("known", OrderedDict())
        now = self.clock()
        left, at = known.pop(who, (ARRIVALS_AT_ONCE, now))
        left = min(left + (now - at) * ARRIVALS, ARRIVALS_AT_ONCE)
        known[who] = max(left - 1, 0.0), now
        if len(known) > REMEMBERED:
            known.popitem(last=False)
        return left >= 1


class _Connection(H11Protocol):
    """One connection: a new one takes the place of the oldest idle one, and one that sends nothing is closed."""

    governor: Governor
    turns: Turns

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._requests, self._bytes, self._born = 0, 0, self.loop.time()
        super().connection_made(transport)
        # Connections that are being closed stay in the set until the next iteration of the event loop.
        alive: list[Any] = [other for other in self.connections if not other.transport.is_closing()]
        if len(alive) > CONNECTIONS:
            idle = [other for other in alive if other._idle()]
            min(idle, key=lambda other: other._born, default=self).transport.abort()
        self._wait()
        self._who = network(str((transport.get_extra_info("peername") or [""])[0]))
        self._pause(self.turns.arrived(self._who, self.loop.time()))
        self.governor.rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._requests += 1
        self.governor.rest()
        super().on_response_complete()
        debt, spent = self.governor.debt(), self.governor.spent - self.turns.charged
        self.turns.charged = self.governor.spent
        self._pause(self.turns.served(self._who, spent, debt, self.loop.time()))

    def _pause(self, seconds: float) -> None:
        """Stops reading for a while, in which the client cannot be late."""
        if seconds and not self.transport.is_closing():
            self._watch.cancel()
            self.transport.pause_reading()
            self.loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._wait()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._watch = self.loop.call_later(PATIENCE, self._expire, self._requests, self._bytes, unsent)

    def _expire(self, requests: int, received: int, unsent: int) -> None:
        """At the last check: number of requests, bytes received, bytes still to be sent."""
        nothing = self._idle() and self._requests == requests
        drips = not self._idle() and self.cycle.more_body and self._bytes - received < SLOWEST
        # A viewer that is gone without a word would keep one of few places for a quarter of an hour.
        deaf = unsent > 0 and self.transport.get_write_buffer_size() == unsent
        if nothing or drips or deaf:
            self.transport.abort()
        else:
            self._wait()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, governor: Governor) -> None:
        super().__init__(config)
        self._governor = governor
        self._stopped: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def stop(self) -> None:
        """Ends the server, from any thread."""
        self.should_exit = True
        with suppress(RuntimeError):  # it has ended already
            if self._stopped is not None:
                self._stopped[0].call_soon_threadsafe(self._stopped[1].set)

    async def main_loop(self) -> None:
        """Ticks every TICK seconds in place of uvicorn's ten times a second, which were half of an idle page's cost."""
        self._stopped = asyncio.get_running_loop(), asyncio.Event()
        while not await self.on_tick(0):  # 0: with the headers' date
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped[1].wait(), TICK)

    async def on_tick(self, counter: int) -> bool:
        self._governor.rest()
        return await super().on_tick(counter)


class PageServer:
    """Serves `app` at `address` and `port` until closed.

    certificate, key: files for TLS, both or neither. Raises OSError (of which ssl.SSLError is one) if the address is
    not available or a file cannot be read.
    """

    def __init__(
        self, app: ASGIApp, governor: Governor, address: str, port: int, certificate: str = "", key: str = ""
    ) -> None:
        self._socket = listening(address, port)
        self.port = self._socket.getsockname()[1]
        try:
            config = uvicorn.Config(
                app,
                http=type("Connection", (_Connection,), {"governor": governor, "turns": Turns(governor.share)}),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # a client must not choose the address that the throttle counts
                timeout_keep_alive=10,
                timeout_graceful_shutdown=1,
                backlog=128,
                ssl_certfile=certificate or None,
                ssl_keyfile=key or None,
            )
            config.load()
        except BaseException:
            self._socket.close()
            raise
        self._server, self._governor = _Server(config, governor), governor
        # By default, Python would let the loop wait 5 ms whenever it returns from a network or from OpenCV.
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(0.0005)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.stop()
        self._governor.release()  # after a flood, the debt would delay the end
        self._thread.join(4)
        sys.setswitchinterval(self._interval)

    def _run(self) -> None:
        try:
            self._server.run([self._socket])
        except BaseException as error:  # whatever the error, the camera continues without the page
            log.error("the page has ended: %s: %s", type(error).__name__, error)
        finally:
            self._socket.close()


def listening(address: str, port: int) -> Door:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.create_server((address, port), family=family, backlog=128, dualstack_ipv6=address == "::")
    return Door(made.family, made.type, made.proto, fileno=made.detach())
