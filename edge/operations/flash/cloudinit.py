"""cloud-init's files on the boot partition (Raspberry Pi OS Trixie, Ubuntu): merged, comments and all, never replaced.

`user-data`: https://cloudinit.readthedocs.io/en/latest/reference/modules.html; `network-config`: netplan's version 2.
"""

from __future__ import annotations

import hashlib
from io import StringIO
from typing import Any

from edge.core.errors import FlashError, MissingPackage
from edge.operations.flash.host import GROUPS, Host
from edge.operations.flash.release import Release

HEADER = "#cloud-config"
START = ["sh", "/boot/firmware/maskcam/systemd/first-boot.sh", "enable"]
"""As `bootcmd`, which runs at every boot: `runcmd` counts as done once begun, even when the power was cut."""

VENV = "python3-venv"
"""Comes with Raspberry Pi OS; Ubuntu must fetch it."""


def user_data(old: str, host: Host, release: Release) -> str:
    """With the host's wishes and our first boot. Raises FlashError for what is no cloud-config."""
    if old.strip() and not old.lstrip("\ufeff").startswith(HEADER):
        raise FlashError(
            "user-data: does not begin with #cloud-config: a script or archive cannot be merged; remove it"
        )
    data = _load("user-data", old)
    if host.hostname:
        data |= {"hostname": host.hostname, "manage_etc_hosts": True}
    if host.timezone:
        data["timezone"] = host.timezone
    if host.user:
        _user(data, host)
        if host.ssh_key and release.raspberry:
            data["enable_ssh"] = True
    if not release.raspberry and VENV not in data.setdefault("packages", []):
        data["packages"].append(VENV)
    commands = data.setdefault("bootcmd", [])
    if START not in commands:
        commands.append(START)
    text = _dump(data)
    return text if text.startswith(HEADER) else f"{HEADER}\n{text}"


def _user(data: Any, host: Host) -> None:
    users = data.setdefault("users", [])
    mine = next((user for user in users if isinstance(user, dict) and user.get("name") == host.user), None)
    if mine is None:
        mine = {"name": host.user, "groups": GROUPS, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL"}
        users.append(mine)
    mine["lock_passwd"] = not (host.password or mine.get("passwd"))
    if host.password:
        mine["passwd"] = host.password
    if host.ssh_key and host.ssh_key not in mine.setdefault("ssh_authorized_keys", []):
        mine["ssh_authorized_keys"].append(host.ssh_key)
    _forget_default_passwords(data, users)


def _forget_default_passwords(data: Any, users: Any) -> None:
    """Ubuntu's card sets the password of its user "ubuntu", whom a list of users without "default" never makes."""
    names = {user if isinstance(user, str) else user.get("name") for user in users}
    passwords = data.get("chpasswd", {}).get("users") if isinstance(data.get("chpasswd"), dict) else None
    if passwords and "default" not in names:
        passwords[:] = [entry for entry in passwords if entry.get("name") in names]
        if not passwords:
            del data["chpasswd"]


def network_config(old: str, host: Host) -> str:
    """With the host's Wi-Fi; other networks stay. The key, not the passphrase, is what netplan gets."""
    if not host.ssid:
        return old
    data = _load("network-config", old)
    network = data if "version" in data else data.setdefault("network", {"version": 2})
    device = network.setdefault("wifis", {}).setdefault("wlan0", {"dhcp4": True, "optional": True})
    device["regulatory-domain"] = host.country
    points = device.setdefault("access-points", {})
    points[host.ssid] = {"password": host.wifi_key} if host.wifi_key else {}
    return _dump(data)


def meta_data(old: str, *contents: str) -> str:
    """With an instance-id made from the contents: cloud-init starts afresh when they change, also on a used card."""
    data = _load("meta-data", old)
    data.setdefault("dsmode", "local")
    data["instance-id"] = instance(*contents)
    return _dump(data)


def instance(*contents: str) -> str:
    return "maskcam-" + hashlib.sha256("\0".join(contents).encode()).hexdigest()[:12]


def _yaml() -> Any:
    try:
        from ruamel.yaml import YAML
    except ModuleNotFoundError:
        raise MissingPackage("ruamel.yaml", extra="flash") from None
    yaml = YAML()  # a round trip: comments, order and quotes stay
    yaml.preserve_quotes = True
    yaml.width = 1 << 16  # a long key is not folded
    return yaml


def _load(name: str, text: str) -> Any:
    """A mapping. A file of comments only has no value to hang them on; they come back through a first key."""
    yaml = _yaml()
    try:
        data = yaml.load(text)
        if data is None:
            data = yaml.load(text.rstrip("\n") + "\n_: 0\n")
            del data["_"]
    except Exception as error:
        reason = " ".join(str(error).split())
        raise FlashError(f"{name}: not YAML, so nothing can be added to it: {reason}") from None
    if not isinstance(data, dict):
        raise FlashError(f"{name}: expected keys and values, found a {type(data).__name__}")
    return data


def _dump(data: Any) -> str:
    out = StringIO()
    _yaml().dump(data, out)
    return out.getvalue()
