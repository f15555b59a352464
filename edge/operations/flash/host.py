"""The board's name, user and network. None keeps what the card already has."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass

from edge.core.errors import FlashError
from edge.operations.flash import places

GROUPS = "adm,dialout,audio,video,plugdev,input,gpio,spi,i2c,netdev,render,users,sudo"
"""Groups of the login user, as in Raspberry Pi OS."""
TAKEN = ("root", "maskcam", "nobody", "daemon", "bin", "sys", "sshd")
"""Users that the system or maskcam already has."""

CHECKS = {
    "hostname": (r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "letters a to z, digits and '-', at most 63"),
    "user": (r"[a-z_][a-z0-9_-]{0,31}", "letters a to z, digits, '-' and '_', at most 32"),
    "country": (r"[A-Z]{2}", "two capitals, such as GB"),
    "timezone": (r"[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}", "an IANA name, such as Europe/Berlin"),
}
KEY = r"(ssh|ecdsa|sk)-[\w@.-]+ [A-Za-z0-9+/]+=*( [^\x00-\x1f\x7f]*)?"


@dataclass(frozen=True)
class Host:
    """Validated on creation: values for a script or YAML have no special characters."""

    hostname: str | None = None
    user: str | None = None
    password: str | None = None
    """The password's hash."""
    ssh_key: str | None = None
    ssid: str | None = None
    wifi_key: str | None = None
    country: str | None = None
    timezone: str | None = None

    def __post_init__(self) -> None:
        for name, (pattern, expected) in CHECKS.items():
            value = getattr(self, name)
            if value is not None and not re.fullmatch(pattern, value):
                option = {"country": "wifi-country"}.get(name, name)
                raise FlashError(f"--{option} {value[:40]!r}: expected {expected}")
        if self.user in TAKEN:
            raise FlashError(f"--user {self.user}: the system has this user for itself: expected another name")
        if self.ssh_key is not None:
            check_key(self.ssh_key)
        if self.ssid is not None and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in self.ssid):
            raise FlashError(f"--wifi {self.ssid!r}: expected a name without line breaks and control characters")
        if self.country:
            _check_country(self.country)
        if self.timezone:
            _check_timezone(self.timezone)
        if (self.password or self.ssh_key) and not self.user:
            raise FlashError("a password or --ssh-key belongs to a user: add --user NAME")
        if self.user and not (self.password or self.ssh_key):
            raise FlashError(f"--user {self.user}: nobody could log in: add --ssh-key or a password")
        if self.ssid and not self.country:
            raise FlashError("--wifi needs --wifi-country, such as GB: without it Raspberry Pi OS keeps Wi-Fi off")


def check_key(text: str) -> None:
    """Raises FlashError if it is not a public key, without quoting it, since it may be a private one."""
    if "PRIVATE KEY" in text or text.startswith("PuTTY-User-Key-File"):
        raise FlashError("--ssh-key: that is a private key: expected the public one, in the file that ends in .pub")
    if not re.fullmatch(KEY, text):
        raise FlashError("--ssh-key: expected one public key on one line, such as ssh-ed25519 AAAA...")


def _check_country(code: str) -> None:
    countries = places.countries()
    if code == "UK":
        raise FlashError("--wifi-country UK: expected GB, the code of ISO 3166 for the United Kingdom")
    if countries and code not in countries:
        raise FlashError(f"--wifi-country {code}: no country has this code (ISO 3166), such as DE, GB or US")


def _check_timezone(name: str) -> None:
    zones = places.timezones()
    if zones and name not in zones:
        now = places.renamed().get(name)
        close = [now] if now else difflib.get_close_matches(name, zones)
        remedy = f"did you mean {close[0]}?" if close else "expected an IANA name, such as Europe/Berlin"
        raise FlashError(f"--timezone {name}: {'an old name' if now else 'there is no such time zone'}: {remedy}")
