"""Posts events as JSON to an HTTP address."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from edge.core import secrets
from edge.core.errors import ConfigError, SinkError
from edge.core.events import to_json
from edge.core.records import Event


class WebhookSink:
    """Posts one event at a time; `send` takes at most `timeout` seconds, however slowly the response arrives.

    The lookup of the host name has the time limit of the system. Retries and queueing are up to `edge.sinks.isolated`.
    User name and password in the address are sent as basic authentication. Messages contain only the host of the
    address, since the rest may be secret. Certificates are verified; redirects are not followed, since a POST would
    become a GET. Raises ConfigError for an invalid address; `send` raises SinkError.
    """

    def __init__(self, url: str, timeout: float) -> None:
        try:
            self._url, login = secrets.login(url)
        except ValueError as error:
            raise ConfigError(f"sinks.webhook.url: {error}") from None
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("sinks.webhook.url: expected http:// or https:// and a host")
        self._host = parts.hostname
        self._headers = {"Content-Type": "application/json", "User-Agent": "maskcam"}
        if login:
            self._headers["Authorization"] = login
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirect, _Http(self._keep), _Https(self._keep))
        self._connection: http.client.HTTPConnection | None = None

    def _keep(self, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        self._connection = connection
        return connection

    def send(self, event: Event) -> None:
        body = json.dumps(to_json(event)).encode()
        request = urllib.request.Request(self._url, body, self._headers)  # a body: POST
        late = threading.Event()
        deadline = threading.Timer(self._timeout, self._cut, [late])
        deadline.daemon = True
        deadline.start()
        try:
            self._post(request)
        except SinkError:
            if not late.is_set():
                raise
        finally:
            deadline.cancel()
            self._connection = None
        if late.is_set():  # a truncated response may look complete
            raise SinkError(f"{self._host} did not answer within {self._timeout:g} s")

    def _cut(self, late: threading.Event) -> None:
        """Called at the deadline in another thread: every wait for the socket fails at once."""
        late.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _post(self, request: urllib.request.Request) -> None:
        try:
            with self._opener.open(request, timeout=self._timeout):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise SinkError(f"{self._host} answered {error.code} {str(error.reason)[:100]}") from None
        except OSError as error:
            if isinstance(getattr(error, "reason", error), TimeoutError):
                raise SinkError(f"{self._host} did not answer within {self._timeout:g} s") from None
            raise SinkError(f"{self._host} cannot be reached ({getattr(error, 'reason', error)})") from None
        except (ValueError, http.client.InvalidURL) as error:  # its text contains the address or the password
            raise SinkError(f"{self._host}: the address cannot be used ({type(error).__name__})") from None
        except http.client.HTTPException as error:
            raise SinkError(f"{self._host} does not speak HTTP ({type(error).__name__})") from None

    def close(self) -> None:
        pass


Keep = Callable[[http.client.HTTPConnection], http.client.HTTPConnection]


class _Http(urllib.request.HTTPHandler):
    """Reports its connections, so that a deadline can close them."""

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self._keep = keep

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **options: self._keep(http.client.HTTPConnection(host, **options)), req)


class _Https(urllib.request.HTTPSHandler):
    """The same with TLS; certificates are verified by default."""

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self._keep = keep

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **options: self._keep(http.client.HTTPSConnection(host, **options)), req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **options: object) -> None:
        return None
