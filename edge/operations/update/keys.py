"""The key that a device trusts, as its owner pasted it. An invalid one may be a secret key, so it is never shown."""

from __future__ import annotations

import base64
import binascii

from edge.core.errors import UpdateError

BYTES = 42
"""Bytes of a minisign public key: "Ed", 8 bytes of key id, 32 bytes of key."""


def public(text: str) -> str:
    """The line with the key, in base64; a comment before it and blanks around it are allowed. Raises UpdateError."""
    words = text.split()
    if not words:
        raise UpdateError(
            "update.key is empty: expected the public key (the second line of minisign.pub) that you trust"
        )
    try:
        key = base64.b64decode(words[-1], validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) == BYTES and key[:2] == b"Ed":
        return words[-1]
    if key[:2] == b"Ed" and len(key) > 2 * BYTES:
        raise UpdateError(
            "update.key is a secret key: whoever reads it can sign updates: make a new pair with minisign -G, "
            "and put the second line of minisign.pub here"
        )
    raise UpdateError(
        "update.key is not a public key of minisign: expected the second line of minisign.pub, whole: "
        "56 characters that begin with RW"
    )
