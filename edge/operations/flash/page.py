"""The page on a flashed card: a section [web] in its settings, with a password that is shown once."""

from __future__ import annotations

import re
import secrets

from edge.config.toml_text import loads
from edge.core.errors import FlashError

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits without those that are easily confused."""
SECTION = (
    '\n# The page, for everybody in the network who knows the password.\n[web]\naddress = "0.0.0.0"\npassword = "{}"\n'
)
PATTERN = re.compile(re.escape(SECTION).replace(re.escape("{}"), '(scrypt:[^"]+)') + r"\Z")


def password() -> str:
    """A new password: 16 letters and digits in groups, 79 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def added(settings: str, card: str, secret: str) -> tuple[str, bool]:
    """The settings with the page, and whether `secret` is its password.

    card: the settings on the card; if they differ only by the added section they are kept, with the password shown
    earlier. Raises FlashError for settings that have a section [web].
    """
    from edge.web.passwords import hashed

    if "web" in loads(settings):
        raise FlashError("--page: the settings have a section [web] already: take it out, or leave --page out")
    body = settings if settings.endswith("\n") else f"{settings}\n"
    if PATTERN.search(card) and PATTERN.sub("", card) == body:
        return card, False
    return body + SECTION.format(hashed(secret)), True
