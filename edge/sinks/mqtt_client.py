"""A client of an MQTT broker."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.errors import SinkError
from edge.core.files import readable

LONGEST = 4096
"""Characters of a password."""


LARGEST = 1 << 20
"""Bytes of a message. Ours have a few hundred; paho would keep one of 256 MB, twice, in a board's memory."""


class _Bounded(Client):
    """Gives up the connection over which a message of more than LARGEST bytes comes."""

    too_large = False
    """Whether one came."""

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > LARGEST:
            self.too_large = True
            raise ConnectionError(f"a message of {bufsize} bytes")
        return super()._sock_recv(bufsize)


class Broker:
    """A connection to a broker. If it breaks, paho reconnects after 1, 2, 4 ... 30 seconds, without end.

    connected: called in paho's thread at every connection, the first one included, with the client and whether it may
    subscribe: not any more after a message of more than LARGEST bytes, for the broker may have kept that.
    heard: called in paho's thread with topic and payload of a subscribed message, and whether the broker had retained
    it. prepare: called with the client before it connects. tls: verify the broker with `ca_file` or, without one, the
    system's certificates. `cert_file` and `key_file`: what shows the broker who we are. The password is the first line
    of `password_file`. timeout: seconds to wait for the broker. Raises SinkError.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        connected: Callable[[Client, bool], None],
        timeout: float,
        heard: Callable[[str, bytes, bool], None] | None = None,
        prepare: Callable[[Client], None] | None = None,
        username: str = "",
        password_file: str | Path = "",
        tls: bool = False,
        ca_file: str | Path = "",
        cert_file: str | Path = "",
        key_file: str | Path = "",
    ) -> None:
        self._connected, self._heard = connected, heard
        self._here = threading.Event()
        self._refusal = "no answer"
        self.client = _Bounded(CallbackAPIVersion.VERSION2, client_id=client_id)
        self.client.connect_timeout = timeout
        self.client.reconnect_delay_set(1, 30)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = self._on_message
        if username:
            self.client.username_pw_set(username, _first_line(password_file) if password_file else None)
        if tls or ca_file or cert_file:
            self.client.tls_set_context(context(ca_file, cert_file, key_file))
        if prepare:
            prepare(self.client)
        try:
            self.client.connect(host, port)
        except (OSError, ValueError) as error:
            self.close()
            raise SinkError(f"broker {host}:{port} cannot be reached ({error})") from None
        self.client.loop_start()
        if not self._here.wait(timeout):
            self.close()
            raise SinkError(f"broker {host}:{port} refused the connection ({self._refusal})")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        # The client closes its sockets when it is no longer referenced.
        self.client.on_connect = self.client.on_disconnect = self.client.on_message = None

    def _on_connect(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            return
        self._connected(client, not self.client.too_large)
        self._here.set()

    def _on_disconnect(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self._refusal == "no answer" and reason.is_failure:
            self._refusal = "it closes the connection; does it ask for a client certificate?"

    def _on_message(self, client: Client, userdata: Any, message: Any) -> None:
        if self._heard:
            self._heard(message.topic, message.payload, message.retain)


class _ClosedSocket(ssl.SSLSocket):
    """Closes the socket if the TLS handshake fails; paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def context(ca_file: str | Path, cert_file: str | Path, key_file: str | Path) -> ssl.SSLContext:
    """A TLS context that verifies the broker. Raises SinkError, which names the file that cannot be used."""
    try:
        made = ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # includes ssl.SSLError
        raise SinkError(
            f"ca_file '{ca_file}' cannot be used ({_reason(error)}): expected certificates as PEM"
        ) from None
    made.sslsocket_class = _ClosedSocket
    if cert_file:
        try:
            made.load_cert_chain(cert_file, key_file or None, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise SinkError(
                f"cert_file '{cert_file}' and key_file '{key_file}' cannot be used ({_reason(error)}): expected a "
                "certificate and its key as PEM, without a passphrase, for this user to read"
            ) from None
    return made


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")  # a service cannot ask for it


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _first_line(path: str | Path) -> str:
    try:
        with readable(Path(path)).open(encoding="utf-8") as file:
            return file.readline(LONGEST).partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise SinkError(f"password_file '{path}' cannot be read ({error}): expected one line of text") from None
