"""Passwords and tokens at rest: scrypt hashes as one line of text, `scrypt:N:r:p:SALT:HASH`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

COST, BLOCK, PARALLEL = 2**14, 8, 1
"""N, r and p: 16 MiB and about 50 ms on a desktop; "interactive" in RFC 7914 (2016), and affordable on a board."""
PATTERN = r"^$|^scrypt:\d+:\d+:\d+:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$"
"""Form of a setting that holds a hash; empty: none."""
SHORTEST = 10
"""Least length of a password that the page accepts, in characters."""


def hashed(secret: str) -> str:
    """The line to keep instead of `secret`, with a new salt each time."""
    salt = os.urandom(16)
    return ":".join(["scrypt", *map(str, (COST, BLOCK, PARALLEL)), _text(salt), _text(_scrypt(secret, salt))])


def verify(secret: str, kept: str) -> bool:
    """Whether `kept` is a hash of `secret`; compared in constant time, False for a line that is not a hash."""
    if not kept or not re.match(PATTERN, kept):
        return False
    _, cost, block, parallel, salt, digest = kept.split(":")
    try:
        found = _scrypt(secret, base64.b64decode(salt), int(cost), int(block), int(parallel))
        return hmac.compare_digest(found, base64.b64decode(digest))
    except (ValueError, MemoryError):
        return False


def _scrypt(secret: str, salt: bytes, cost: int = COST, block: int = BLOCK, parallel: int = PARALLEL) -> bytes:
    data = secret.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=cost, r=block, p=parallel, maxmem=64 << 20, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
