"""What messages may say about a setting, an address or a command: the only place that decides.

Messages reach the log, the service's status, a broker and people who are asked for help, so they never contain anything
that could hold a password. A password can be in any part of a camera's address (`name:password@`, `?pw=`,
`/user=x_password=y`), and a wrong value is as secret as a right one.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

HIDDEN = "not shown, for it may hold a password"

_HOST = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+)(:\d{1,5})?")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = re.compile(r"[\w .,:;+/()-]{0,40}")
_SUSPICIOUS = re.compile(r"[@?=&:#]")


def address(url: str) -> str:
    """Scheme, host and port of `url`, such as "rtsp://10.0.0.5:554/..."; without the host if that is ambiguous.

    People write "/", "?" and "#" in passwords although a URL does not allow it, so everything before an "@" is suspect.
    """
    scheme, _, rest = url.partition("://")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    below = rest[len(place) :]
    host = place.rpartition("@")[2]
    scheme = scheme if re.fullmatch(r"[a-z][a-z0-9+]{0,9}", scheme) else ""
    if "@" in below or not scheme or not _HOST.fullmatch(host):
        return f"{scheme}://..."
    return f"{scheme}://{host}{'/...' if below.strip('/') else ''}"


def login(url: str) -> tuple[str, str]:
    """`url` without its name:password@, and the value of the header Authorization for these, "" without them.

    Raises ValueError for what is no address, without quoting it.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it is looked at when it is asked for)
    except ValueError:
        raise ValueError(
            "no address: expected https://NAME:PASSWORD@HOST:PORT/..., with %2F for a '/' in a password, %3F for '?', "
            "%23 for '#' and %40 for '@'"
        ) from None
    named, mark, host = parts.netloc.rpartition("@")
    name, _, password = named.partition(":")
    text = f"{unquote(name)}:{unquote(password)}"
    return urlunsplit(parts._replace(netloc=host)), f"Basic {b64encode(text.encode()).decode()}" if mark else ""


def source(value: int | str) -> str:
    """`camera.source` for messages: an index, the name of a device or a file, or the host of an address."""
    text = str(value)
    if "://" in text:
        return address(text)
    if _SUSPICIOUS.search(text) and not re.fullmatch(r"(pi|csi):\d+", text) and not os.path.exists(text):
        return f"({HIDDEN})"
    return text


def value(given: Any, harmless: bool) -> str:
    """A value for messages: itself if it is short and `harmless` (cannot hold a password), otherwise only its type."""
    if isinstance(given, bool):
        return json.dumps(given)
    if isinstance(given, int | float) and harmless:
        return json.dumps(given) if abs(given) < 1e18 or given != given else "a number of many digits"
    if isinstance(given, str) and harmless and _SHORT.fullmatch(given):
        return json.dumps(given, ensure_ascii=False)
    if isinstance(given, list | tuple) and harmless and len(given) <= 8:
        return f"[{', '.join(value(one, harmless) for one in given)}]"
    kinds = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a section"}
    return f"({next((name for kind, name in kinds.items() if isinstance(given, kind)), 'a value')}, {HIDDEN})"


def key(parts: Sequence[str]) -> str:
    """The key of a setting as the user wrote it, on one line, shortened if it is long."""
    dotted = ".".join(part if _NAME.fullmatch(part) else json.dumps(part) for part in parts)
    return dotted if len(dotted) <= 80 else f"{dotted[:60]}... ({len(dotted)} characters)"


def command(argv: Sequence[str]) -> str:
    """The program without its arguments, which may hold secrets."""
    return (argv[0].split() or ["(no program)"])[0] if argv else "(no program)"


def without(text: str, words: Sequence[str]) -> str:
    """`text` without `words`, and without the parts of words like "name:password", "key=value" or an address."""
    parts = {part for word in words for part in (word, *re.split(r"[:@=/?&]+", word)) if len(part) >= 4}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return text
