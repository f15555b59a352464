"""Who the board shall be: its name, its user, its network. None leaves what the card says already."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.core.errors import FlashError

GROUPS = "adm,dialout,audio,video,plugdev,input,gpio,spi,i2c,netdev,render,users,sudo"
"""Of the login user, as Raspberry Pi OS gives them."""

CHECKS = {
    "hostname": (r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "letters a to z, digits and '-', at most 63"),
    "user": (r"[a-z_][a-z0-9_-]{0,31}", "letters a to z, digits, '-' and '_', at most 32"),
    "ssh_key": (r"(ssh|ecdsa|sk)-[\w@.-]+ [A-Za-z0-9+/]+=*( [^\n']*)?", "one public key, such as ssh-ed25519 AAAA..."),
    "country": (r"[A-Z]{2}", "two capitals, such as GB"),
    "timezone": (r"[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}", "an IANA name, such as Europe/Berlin"),
}


@dataclass(frozen=True)
class Host:
    """Checked at birth: what gets into a script or YAML has no character that could surprise it."""

    hostname: str | None = None
    user: str | None = None
    password: str | None = None
    """Its hash."""
    ssh_key: str | None = None
    ssid: str | None = None
    wifi_key: str | None = None
    country: str | None = None
    timezone: str | None = None

    def __post_init__(self) -> None:
        for name, (pattern, expected) in CHECKS.items():
            value = getattr(self, name)
            if value is not None and not re.fullmatch(pattern, value):
                option = {"country": "wifi-country"}.get(name, name.replace("_", "-"))
                raise FlashError(f"--{option} '{value}': expected {expected}")
        if (self.password or self.ssh_key) and not self.user:
            raise FlashError("a password or --ssh-key belongs to a user: add --user NAME")
        if self.user and not (self.password or self.ssh_key):
            raise FlashError(f"--user {self.user}: nobody could log in: add --ssh-key or a password")
        if self.ssid and not self.country:
            raise FlashError("--wifi needs --wifi-country, such as GB: without it Raspberry Pi OS keeps Wi-Fi off")
