"""Access control: password, token, sessions, and a limit on wrong attempts."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from edge.core import files
from edge.web import passwords

log = logging.getLogger(__name__)

LASTS = 30 * 86400
"""Seconds that a browser stays logged in."""
FREE = 3
"""Wrong attempts from one address before it has to wait."""
LONGEST = 300.0
"""Longest wait between two attempts, in seconds."""
REMEMBERED = 512
"""Most addresses, most accepted secrets and most ended sessions that are remembered."""


class Throttle:
    """Counts wrong attempts per address: after FREE of them each doubles the wait, from 1 s to LONGEST.

    Only the first 64 bits of an IPv6 address count, since one host has all the others. With too many addresses the
    oldest is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until this address may try again."""
        count, last = self._failed.get(network(address), (0, 0.0))
        if count < FREE:
            return 0.0
        return max(last + min(2.0 ** (count - FREE), LONGEST) - self._clock(), 0.0)

    def failed(self, address: str) -> None:
        key = network(address)
        count, last = self._failed.pop(key, (0, 0.0))
        if self._clock() - last > 4 * LONGEST:
            count = 0
        self._failed[key] = count + 1, self._clock()
        if len(self._failed) > REMEMBERED:
            self._failed.popitem(last=False)

    def passed(self, address: str) -> None:
        self._failed.pop(network(address), None)


def network(address: str) -> str:
    """Identifies a caller: an IPv4 address, or the first 64 bits of an IPv6 one."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(found) if found.version == 4 else found.exploded[:19]


class Access:
    """Decides who has access.

    password, token: hashes from `passwords.hashed`, empty for none. Without either access is open, which the settings
        allow only on the machine itself.
    key: 32 random bytes that sign the sessions. A new key, or another password, ends all of them.
    ended: file with the sessions that were logged out, which stay so after a restart; None: they are in memory only.
    clock: seconds since 1970, for sessions; steady: monotonic seconds, for the throttle.
    """

    def __init__(
        self,
        password: str = "",
        token: str = "",
        key: bytes | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        ended: Path | None = None,
    ) -> None:
        self.password, self._token = password, token
        self._key = key or secrets.token_bytes(32)
        self.cookie = f"maskcam-{hashlib.sha256(b'cookie' + self._key).hexdigest()[:8]}"
        """Name of the cookie, another one for each camera of a board: browsers keep cookies per host, not per port."""
        self._clock = clock
        self._file, self._ended = ended, _bodies(ended)
        self.throttle = Throttle(steady)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._turn = threading.Lock()  # scrypt takes 16 MiB: one at a time, whatever the number of callers

    @property
    def open(self) -> bool:
        """Whether access needs no password or token."""
        return not (self.password or self._token)

    def admits_password(self, secret: str) -> bool:
        return self._admits(secret, self.password)

    def admits_token(self, secret: str) -> bool:
        """Accepts a program's token, or the password."""
        accepted = (self._token, self.password)
        return any(self._digest(secret, kept) in self._right for kept in accepted) or any(
            self._admits(secret, kept) for kept in accepted
        )

    def _digest(self, secret: str, kept: str) -> bytes:
        return hmac.digest(self._key, f"{kept}\0{secret}".encode("utf-8", "surrogatepass"), "sha256")

    def _admits(self, secret: str, kept: str) -> bool:
        """Remembers an accepted secret by a keyed digest, because a monitoring program asks every few seconds."""
        if self._digest(secret, kept) in self._right:
            return True
        if not kept or not secret:
            return False
        with self._turn:
            right = passwords.verify(secret, kept)
        if right:
            self._right[self._digest(secret, kept)] = None
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return right

    def session(self) -> str:
        """A new session: its end, and a signature of that and of the present password."""
        body = f"{int(self._clock()) + LASTS}.{secrets.token_hex(8)}"
        return f"{body}.{self._signature(body)}"

    def admits_session(self, session: str) -> bool:
        body, _, signature = session.rpartition(".")
        ends = body.partition(".")[0]
        if body in self._ended:
            return False
        if not (ends.isascii() and ends.isdigit()) or len(ends) > 12 or int(ends) < self._clock():
            return False
        return hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(body).encode())

    def end(self, session: str) -> None:
        """Ends one session: whoever has copied the cookie is logged out too."""
        if not self.admits_session(session):
            return
        now = self._clock()
        self._ended = [body for body in self._ended if int(body.partition(".")[0]) >= now][1 - REMEMBERED :]
        self._ended.append(session.rpartition(".")[0])
        if self._file is not None:
            try:
                files.write(self._file, "\n".join(self._ended) + "\n", mode=0o600)
            except OSError as error:
                log.warning("%s is not written (%s): a restart forgets who logged out", self._file, error.strerror)

    def _signature(self, body: str) -> str:
        bound = hashlib.sha256(self.password.encode()).digest()
        return hmac.new(self._key + bound, body.encode("utf-8", "replace"), "sha256").hexdigest()


def _bodies(file: Path | None) -> list[str]:
    """The sessions in a file of ended ones."""
    try:
        lines = file.read_text(encoding="ascii").splitlines() if file else []
    except (OSError, UnicodeDecodeError):
        return []
    return [line for line in lines if re.fullmatch(r"\d{1,12}\.[0-9a-f]{16}", line, re.ASCII)][-REMEMBERED:]


def key_in(folder: Path | None) -> bytes | None:
    """The key kept in `folder`, created by the first call; None if it cannot be kept."""
    if folder is None:
        return None
    path = folder / "page.key"
    try:
        kept = path.read_bytes()
        if len(kept) == 32:
            return kept
    except FileNotFoundError:
        pass
    except OSError:
        return None
    made = secrets.token_bytes(32)
    try:
        path.touch(mode=0o600)
        path.write_bytes(made)
    except OSError:
        return None
    return made
