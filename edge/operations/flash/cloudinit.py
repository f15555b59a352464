"""cloud-init's files on the boot partition (Raspberry Pi OS Trixie, Ubuntu): merged, keeping comments, not replaced.

`user-data`: https://cloudinit.readthedocs.io/en/latest/reference/modules.html; `network-config`: netplan's version 2.
"""

from __future__ import annotations

import hashlib
import re
from io import StringIO
from typing import Any

from edge.core import nesting
from edge.core.errors import FlashError, MissingPackage
from edge.core.plain_text import plain
from edge.operations.flash.host import GROUPS, Host
from edge.operations.flash.release import Release

HEADER = "#cloud-config"
START = ["sh", "/boot/firmware/maskcam/systemd/first-boot.sh", "enable"]
"""Added to `bootcmd`, which runs at every boot: `runcmd` counts as done once begun, even if the power was cut."""

WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
"""Texts that YAML 1.1 reads as other types."""
VENV = "python3-venv"
"""Included in Raspberry Pi OS; Ubuntu must fetch it."""


def user_data(old: str, host: Host, release: Release) -> str:
    """`user-data` with the host's settings and our first boot. Raises FlashError if it is not a cloud-config."""
    if old.strip() and old.removeprefix("\ufeff").partition("\n")[0].strip() != HEADER:
        raise FlashError(
            "user-data: does not begin with #cloud-config: a script or archive cannot be merged; remove it"
        )
    data = _load("user-data", old)
    if host.hostname:
        data |= {"hostname": _text(host.hostname), "manage_etc_hosts": True}
    if host.timezone:
        data["timezone"] = _text(host.timezone)
    if host.user:
        _user(data, host)
        if host.ssh_key and release.raspberry:
            data["enable_ssh"] = True
    if not release.raspberry and VENV not in (packages := _list(data, "packages", "user-data", words=True)):
        packages.append(VENV)
    if START not in (commands := _list(data, "bootcmd", "user-data")):
        commands.append(START)
    text = _dump(data)
    return text if text.startswith(HEADER) else f"{HEADER}\n{text}"


def has_user(text: str) -> bool:
    """Whether somebody will be able to log in; True if unknown."""
    try:
        data = _load("user-data", text)
    except FlashError:
        return True
    return bool(data.get("users") or data.get("user") or data.get("chpasswd") or data.get("password"))


def _user(data: Any, host: Host) -> None:
    mine = _entry(data, _text(host.user or ""))
    for other in ("plain_text_passwd", "hashed_passwd") if host.password else ():
        mine.pop(other, None)
    mine["lock_passwd"] = not any(
        (host.password, *(mine.get(name) for name in ("passwd", "plain_text_passwd", "hashed_passwd")))
    )
    if host.password:
        mine["passwd"] = host.password
    if host.ssh_key:
        keys = _list(mine, "ssh_authorized_keys", "user-data: users", words=True)
        if host.ssh_key not in keys:
            keys.append(host.ssh_key)
    _forget_default_passwords(data)


def _entry(data: Any, name: str) -> Any:
    """The user's mapping in `users`, which may be a list, one or several words, or a mapping by name."""
    fresh = {"groups": GROUPS, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL"}
    users = data.get("users")
    if isinstance(users, dict):
        if not isinstance(users.get(name), dict):
            users[name] = fresh
        return users[name]
    if isinstance(users, str):
        data["users"] = [word.strip() for word in users.split(",") if word.strip()]
    users = _list(data, "users", "user-data")
    found = next((user for user in users if isinstance(user, dict) and user.get("name") == name), None)
    if found is None:
        users[:] = [user for user in users if user != name]
        users.append({"name": name, **fresh})
        found = users[-1]
    return found


def _forget_default_passwords(data: Any) -> None:
    """Ubuntu's card sets the password of its user "ubuntu", which a list of users without "default" does not create."""
    users = data["users"]
    # A list, not a set, because a name may be anything there, even an unhashable list. Of a mapping it is the keys.
    names = [user.get("name") if isinstance(user, dict) else user for user in _flat(users)]
    passwords = data.get("chpasswd")
    if not isinstance(passwords, dict) or "default" in names:
        return
    found = passwords.get("users")
    if isinstance(found, list):
        found[:] = [entry for entry in found if not isinstance(entry, dict) or entry.get("name") in names]
    lines = passwords.get("list")  # the older form: NAME:PASSWORD, as lines or as a list
    if isinstance(lines, str):
        lines = lines.splitlines()
    if isinstance(lines, list):
        passwords["list"] = [line for line in lines if not isinstance(line, str) or line.partition(":")[0] in names]
    if not passwords.get("users") and not passwords.get("list"):
        del data["chpasswd"]


def _flat(users: Any) -> list[Any]:
    return [inner for user in users for inner in (_flat(user) if isinstance(user, list) else [user])]


def network_config(old: str, host: Host) -> str:
    """`network-config` with the host's Wi-Fi; other networks stay. netplan gets the key, not the passphrase.

    Raises FlashError if the file has no place for it.
    """
    if not host.ssid:
        return old
    data = _load("network-config", old)
    network = data if "version" in data else _mapping(data, "network", "network-config")
    if network.setdefault("version", 2) != 2 or "config" in network:
        raise FlashError(
            "network-config: not of netplan's version 2 (or switched off), so there is no place for --wifi: remove the "
            "file, or write the Wi-Fi into it and leave --wifi out"
        )
    wifis = _mapping(network, "wifis", "network-config")
    device = _mapping(wifis, "wlan0", "network-config: wifis")
    if not any(name in device for name in ("dhcp4", "dhcp6", "addresses")):
        device["dhcp4"] = True
    device.setdefault("optional", True)  # the boot must not wait for it
    device["regulatory-domain"] = _text(host.country or "")
    points = _mapping(device, "access-points", "network-config: wifis: wlan0")
    for other in [key for key in points if not isinstance(key, str) and str(key) == host.ssid]:
        del points[other]  # the name may be a number: there must not be two entries
    wanted = {"password": _text(host.wifi_key)} if host.wifi_key else {}
    if points.get(host.ssid) != wanted:  # a new mapping loses the blank lines and comments after the old one
        points[_text(host.ssid)] = wanted
    return _dump(data)


def has_network(text: str) -> bool:
    """Whether the file names a network of any kind; True if unknown."""
    try:
        data = _load("network-config", text)
    except FlashError:
        return True
    network = data if "version" in data else data.get("network")
    return isinstance(network, dict) and any(network.get(k) for k in ("wifis", "ethernets", "config", "modems"))


def _list(data: Any, key: str, where: str, words: bool = False) -> Any:
    """The list under a key, created if missing; `words`: cloud-init accepts a single word as a list."""
    found = data.get(key)
    if found is None or found == "":
        data[key] = []
    elif words and isinstance(found, str):
        data[key] = [found]
    elif not isinstance(found, list):
        raise FlashError(f"{where}: {key}: expected a list, found {_kind(found)}: nothing can be added to it")
    return data[key]


def _mapping(data: Any, key: str, where: str) -> Any:
    """The mapping under a key, created if missing."""
    found = data.get(key)
    if found is None or found == "":
        data[key] = {}
    elif not isinstance(found, dict):
        raise FlashError(f"{where}: {key}: expected keys and values, found {_kind(found)}: nothing can be added to it")
    return data[key]


def _kind(value: Any) -> str:
    kinds = {
        str: "a text",
        bool: "yes or no",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "keys and values",
    }
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "something else")


def _text(value: str) -> str:
    """The text quoted: cloud-init reads YAML 1.1, in which NO, on, 12:30 and 1_000 are not texts."""
    from ruamel.yaml.scalarstring import SingleQuotedScalarString

    plain = re.fullmatch(r"[A-Za-z][A-Za-z/_-]*", value) and value.lower() not in WORDS
    return value if plain else SingleQuotedScalarString(value)


def meta_data(old: str, *contents: str) -> str:
    """`meta-data` with an instance-id from the contents: cloud-init runs again if they change, also on a used card."""
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
    yaml = YAML()  # round trip: comments, order and quotes are kept
    yaml.preserve_quotes = True
    yaml.width = 1 << 16  # long keys are not folded
    return yaml


def _load(name: str, text: str) -> Any:
    """Reads a mapping. A file of comments only has no value to attach them to; they are restored by a first key."""
    yaml = _yaml()
    if nesting.too_deep(text):
        raise FlashError(f"{name}: nested too deep, so nothing can be added to it: expected what cloud-init reads")
    try:
        data = yaml.load(text)
        if data is None:
            data = yaml.load(text.rstrip("\n") + "\n_: 0\n")
            del data["_"]
    except Exception as error:
        raise FlashError(f"{name}: not YAML, so nothing can be added to it: {_reason(error)}") from None
    if not isinstance(data, dict):
        raise FlashError(f"{name}: expected keys and values, found {_kind(data)}")
    return data


def _reason(error: Exception) -> str:
    """What is wrong and where, without the values that stand there: one may be a password."""
    problem, mark = (getattr(error, name, None) for name in ("problem", "problem_mark"))
    if mark is None:
        return "a value in it cannot be read"
    said = re.split(r" with value |(?<=undefined alias) |(?<=for the tag) ", str(problem))[0]
    return f"{plain(said)[:200]} in line {mark.line + 1}, column {mark.column + 1}"


def _dump(data: Any) -> str:
    out = StringIO()
    _yaml().dump(data, out)
    return re.sub(r"\A\s*\n", "", out.getvalue())  # of blank lines ruamel.yaml would drop one at every reading
