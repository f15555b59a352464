"""Secrets in the form that a card may hold: a password as a hash, a Wi-Fi passphrase as the key derived from it.

The key opens that network just as the passphrase does; it only hides the phrase itself, which people tend to reuse.
"""

from __future__ import annotations

import hashlib
import re

from edge.core.errors import FlashError, MissingPackage


def password_hash(password: str) -> str:
    """SHA-512 crypt, which every system here verifies, with libpass's number of rounds.

    `crypt` was removed from Python 3.13, and openssl on macOS and Windows may lack `passwd -6`. Raises FlashError.
    """
    if not password:
        raise FlashError("password: empty: expected at least one character")
    try:
        from passlib.hash import sha512_crypt  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise MissingPackage("libpass", extra="flash") from None
    return str(sha512_crypt.hash(password))


def wifi_key(ssid: str, passphrase: str) -> str:
    """The pre-shared key of WPA2 (IEEE 802.11i: PBKDF2, HMAC-SHA1, 4096 rounds), 64 hexadecimal digits.

    Also accepts such a key. Raises FlashError.
    """
    if not 1 <= len(ssid.encode()) <= 32:
        raise FlashError(f"--wifi '{ssid}': {len(ssid.encode())} bytes: the name of a network has 1 to 32")
    if re.fullmatch(r"[0-9a-fA-F]{64}", passphrase):
        return passphrase.lower()
    if not (8 <= len(passphrase) <= 63 and passphrase.isprintable() and passphrase.isascii()):
        raise FlashError("Wi-Fi passphrase: expected 8 to 63 printable ASCII characters, or a key of 64 hex digits")
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), ssid.encode(), 4096, 32).hex()
