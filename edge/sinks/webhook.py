"""Events as JSON to an HTTP address, by POST."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit, urlunsplit

from edge.core.errors import ConfigError, SinkError
from edge.core.records import Event
from edge.sinks.jsonl import to_json


class WebhookSink:
    """Posts one event at a time; `send` waits for the answer, `timeout` seconds at most for each step of it.

    Repeating and queueing is the business of `edge.sinks.isolated`. A name and password in the address are sent as
    basic authentication. Of the address only the host is ever said, for the rest of it may be a secret too.
    Certificates are verified, redirects are not followed: a POST would become a GET.
    Raises ConfigError for an address that is none; `send` raises SinkError.
    """

    def __init__(self, url: str, timeout: float = 5.0) -> None:
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
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, event: Event) -> None:
        body = json.dumps(to_json(event)).encode()
        request = urllib.request.Request(self._url, body, self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise SinkError(f"{self._host} answered {error.code} {error.reason}") from None
        except OSError as error:
            raise SinkError(f"{self._host} is not reached ({getattr(error, 'reason', error)})") from None
        except http.client.HTTPException as error:  # its text may hold the address
            raise SinkError(f"{self._host} does not speak HTTP ({type(error).__name__})") from None

    def close(self) -> None:
        pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **options: object) -> None:
        return None
