"""Events as JSON to an HTTP address, by POST."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from edge.core.errors import ConfigError, SinkError
from edge.core.events import to_json
from edge.core.records import Event


class WebhookSink:
    """Posts one event at a time; `send` has `timeout` seconds for all of it, however slowly an answer drips.

    The look-up of the host's name is the system's own business and has the system's own limit.
    Repeating and queueing is the business of `edge.sinks.isolated`. A name and password in the address are sent as
    basic authentication. Of the address only the host is ever said, for the rest of it may be a secret too.
    Certificates are verified, redirects are not followed: a POST would become a GET.
    Raises ConfigError for an address that is none; `send` raises SinkError.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("sinks.webhook.url: expected http:// or https:// and a host")
        self._host = parts.hostname
        self._headers = {"Content-Type": "application/json", "User-Agent": "maskcam"}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirect, _Http(self._keep), _Https(self._keep))
        self._connection: http.client.HTTPConnection | None = None

    def _keep(self, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        self._connection = connection
        return connection

    def send(self, event: Event) -> None:
        body = json.dumps(to_json(event)).encode()
        request = urllib.request.Request(self._url, body, self._headers, method="POST")
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
        if late.is_set():  # an answer that was cut may look like a whole one
            raise SinkError(f"{self._host} did not answer within {self._timeout:g} s")

    def _cut(self, late: threading.Event) -> None:
        """At the deadline, in a thread of its own: whatever waits for the socket fails at once."""
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
        except http.client.HTTPException as error:  # its text may hold the address
            raise SinkError(f"{self._host} does not speak HTTP ({type(error).__name__})") from None
        except ValueError as error:  # a header that cannot be sent; its text holds the password
            raise SinkError(f"{self._host}: the address cannot be used ({type(error).__name__})") from None

    def close(self) -> None:
        pass


Keep = Callable[[http.client.HTTPConnection], http.client.HTTPConnection]


class _Http(urllib.request.HTTPHandler):
    """Hands out its connections, so that a deadline can cut them."""

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
