"""The changes to a card: collected, shown, then written with backups and read back."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.strays import mistaken
from edge.core.errors import FlashError
from edge.core.plain_text import plain
from edge.operations.flash import cloudinit, firmware, firstrun, locks
from edge.operations.flash.host import Host
from edge.operations.flash.release import Release
from edge.operations.flash.target import BACKUP, Target, original
from edge.operations.flash.wheels import SUMS, sums
from edge.operations.repack import NEEDED

Content = bytes | Path
HOME = "maskcam"
"""Our folder on the card."""
PARTS = ("parts", f"parts/{NEEDED}")
"""Folders for the wheels of packages with parts, and of their dependencies."""
RESERVE = 16 << 20
"""Bytes to leave free on the card for kernels of later system updates."""
Progress = Callable[[int, int], None]
"""Receives the bytes written and the total."""


@dataclass
class Plan:
    files: dict[str, Content] = field(default_factory=dict)
    """Name on the card -> new content, in the order of writing: what triggers the first boot comes last."""
    remove: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """Secrets that a diff must not show."""
    notes: list[str] = field(default_factory=list)
    """Warnings for the owner before anything is written."""


def payload(
    checkout: Path, wheels: list[Path], lock: Path, bundle: tuple[str, Path] | None, parts: Sequence[Path] = ()
) -> dict[str, Content]:
    """Installer, unit, lock, configurations, wheels and the user's own bundle, by name on the card.

    parts: the wheels made by `repack.parts`.
    """
    files: dict[str, Content] = {f"{HOME}/systemd/{locks.FOLDER}/{lock.name}": lock}
    for folder in ("systemd", "configs"):
        for path in sorted(p for p in (checkout / folder).iterdir() if p.is_file()):
            files[f"{HOME}/{folder}/{path.name}"] = path
    for path in wheels:
        files[f"{HOME}/wheels/{path.name}"] = path
    for path in parts:
        folder = PARTS[path.parent.name == NEEDED]
        files[f"{HOME}/{folder}/{path.name}"] = path
    if bundle:
        name, folder_path = bundle
        for path in sorted(p for p in folder_path.iterdir() if p.is_file()):
            files[f"{name}/{path.name}"] = path
    return files


def build(
    target: Target,
    release: Release,
    host: Host,
    settings: str,
    files: Mapping[str, Content],
    board: str,
    offline: bool,
    ribbon: bool = False,
) -> Plan:
    """All changes to the card. `settings`: the text of maskcam.toml; `ribbon`: they use a ribbon camera.

    Raises FlashError.
    """
    plan = Plan(dict(files), secrets=[secret for secret in (host.password, host.wifi_key) if secret])
    wanted = {name.casefold() for name in files}
    present = (f"{HOME}/{folder}/{name}" for folder in ("wheels", *PARTS) for name in target.names(f"{HOME}/{folder}"))
    plan.remove = [name for name in present if name.casefold() not in wanted and not target.is_folder(name)]
    # sha256sum runs in the partition's folder
    digests = sums(sorted(files.items()))
    name = cloudinit.instance(digests, board)
    wishes = {"ID": name, "BOARD": board, "OFFLINE": "yes" if offline else "no"}
    wishes |= {"PYTHON": release.python or "", "SSH": "yes" if host.ssh_key else "no"}
    plan.files[f"{HOME}/{SUMS}"] = digests.encode()
    plan.files[f"{HOME}/first-boot.conf"] = "".join(f"{k}={shlex.quote(v)}\n" for k, v in wishes.items()).encode()
    plan.files["maskcam.toml"] = settings.encode()
    config, plan.notes = firmware.config_txt(_text(target, "config.txt"), ribbon)
    plan.files["config.txt"] = _bytes(config)
    _instructions(plan, target, release, host, name)
    plan.notes += _notes(target, release, host, offline)
    unchanged = [name for name, content in plan.files.items() if _same(target.read(name), content)]
    for name in unchanged:
        del plan.files[name]
    return plan


def _instructions(plan: Plan, target: Target, release: Release, host: Host, name: str) -> None:
    """The files that make the system run our first boot."""
    kernel = _text(target, release.cmdline)
    parameters = {"cfg80211.ieee80211_regdom": host.country} if host.country else {}
    if release.first_boot == "firstrun":
        firstrun.check(kernel)
        plan.files[firstrun.NAME] = firstrun.script(_text(target, firstrun.NAME), host).encode()
        plan.files[release.cmdline] = _bytes(firmware.cmdline(kernel, {**parameters, **firstrun.RUN}))
        return
    user = cloudinit.user_data(_text(target, "user-data"), host, release)
    network = cloudinit.network_config(_text(target, "network-config"), host)
    plan.files["user-data"] = user.encode()
    if network:
        plan.files["network-config"] = network.encode()
    kernel = firmware.instance(kernel, cloudinit.instance(user, network, name))
    plan.files[release.cmdline] = _bytes(firmware.cmdline(kernel, parameters))
    # Last: a new instance makes cloud-init read all the others.
    plan.files["meta-data"] = cloudinit.meta_data(_text(target, "meta-data"), user, network, name).encode()


SECRET = re.compile(
    r"((?:\b\w*pass\w*|\bpsk|\w*secret|\w*token)['\"]?\s*[:=]\s*)\S[^\n]*|(?<=://)[^/@\s]+(?=@)", re.IGNORECASE
)
"""Secrets that are already on the card: bystanders may read a diff."""


def _notes(target: Target, release: Release, host: Host, offline: bool) -> list[str]:
    """Warnings about missing and unused files."""
    notes = []
    there = {name.casefold() for name in target.names()}
    for name in sorted(there):
        if name + BACKUP in there and not (target.read(name) or b"").strip(b"\0 \t\r\n"):
            notes.append(f"{name} is empty: {name}{BACKUP} takes its place")
    strays = [name for name in target.names() if mistaken(name)]
    notes += [f"{name} lies on the card, but only maskcam.toml is read: remove it" for name in sorted(strays)]
    cloud = release.first_boot == "cloud-init"
    if not host.user and cloud and not cloudinit.has_user(_text(target, "user-data")):
        notes.append("nobody will be able to log in: add --user NAME --ssh-key FILE, or go on: the camera needs nobody")
    if not host.ssid and cloud and not cloudinit.has_network(_text(target, "network-config")):
        cable = "a cable at first boot" if not offline else "a cable, if it shall be reached at all"
        notes.append(f"no Wi-Fi: without --wifi NAME --wifi-country CC the board needs {cable}")
    return notes


def diff(target: Target, plan: Plan) -> str:
    """Shows what `write` would do: unified diffs of the system's text files, one line for each of our own."""
    lines = [f"remove {name}" for name in plan.remove]
    for name, content in plan.files.items():
        if isinstance(content, Path) or name.startswith(HOME + "/"):
            lines.append(f"write {name} ({_size(content)} bytes)")
            continue
        old = (target.read(name) or b"").decode("utf-8", "replace").splitlines()
        new = content.decode("utf-8", "replace").splitlines()
        lines += difflib.unified_diff(old, new, f"{name} (now)", f"{name} (then)", lineterm="")
    text = SECRET.sub(lambda match: f"{match[1] or ''}(not shown)", "\n".join(lines))
    for secret in plan.secrets:
        text = text.replace(secret, "(not shown)")
    return plain(text)  # a card may hold anything


def write(target: Target, plan: Plan, progress: Progress = lambda done, total: None) -> list[str]:
    """Writes, then reads everything back; returns the names of the backups. Raises FlashError."""
    check_space(target, plan)
    backups = [backup for name in plan.files if (backup := _back_up(target, name))]
    for name in plan.remove:
        target.remove(name)
    done, total = 0, sum(_size(content) for content in plan.files.values())
    for name, content in plan.files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        target.write(name, data)
        done += len(data)
        progress(done, total)
    target.settle()
    for name, content in plan.files.items():
        if not _same(target.read(name), content):
            raise FlashError(
                f"{target.name}: {name} reads back wrong: the card or its reader is faulty: try another one"
            )
    return backups


def check_space(target: Target, plan: Plan) -> None:
    """Raises FlashError before anything is written."""
    gone = sum(len(target.read(name) or b"") for name in [*plan.remove, *plan.files])
    need, free = sum(_size(content) for content in plan.files.values()), target.free() + gone
    if need + RESERVE > free:
        raise FlashError(
            f"{target.name}: {free / 1e6:.0f} MB can be written, {(need + RESERVE) / 1e6:.0f} MB are needed: "
            "remove what is not the system's, or go without --offline"
        )


def _back_up(target: Target, name: str) -> str | None:
    """Backs up a file of the system or the user beside itself, unless an identical backup exists."""
    data = None if name.startswith(HOME + "/") else target.read(name)
    if not data or not data.strip(b"\0"):
        return None
    number = 1
    while (kept := target.read(backup := f"{name}{BACKUP}{number if number > 1 else ''}")) is not None:
        if kept == data:
            return None
        number += 1
    target.write(backup, data)
    return backup


def _text(target: Target, name: str) -> str:
    """The present text or, if an interruption left none, the backup. The firmware's files may not be UTF-8."""
    data = original(target, name) or b""
    kept = name == "config.txt" or name.endswith("cmdline.txt")
    try:
        text = data.decode("utf-8", "surrogateescape") if kept else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FlashError(
            f"{name}: not UTF-8 ({error.reason} at byte {error.start}): nothing can be added to it"
        ) from None
    if "\0" in text:
        raise FlashError(f"{name}: not UTF-8, or damaged (a zero at character {text.index(chr(0))}): save it as UTF-8")
    return text


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _same(data: bytes | None, content: Content) -> bool:
    return data == (content if isinstance(content, bytes) else content.read_bytes())


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
