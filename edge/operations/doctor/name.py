"""Whether other machines find this one as NAME.local: asked in the same way, by multicast DNS (RFC 6762)."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

from edge.core.findings import Finding, ok, warn

GROUP = ("224.0.0.251", 5353)
WAIT = 1.5
"""Seconds to wait for an answer; the question is sent twice."""
ADDRESS, INTERNET = 1, 1
"""DNS type A and class IN (RFC 1035)."""

Ask = Callable[[str], "list[str]"]


def ask(name: str, group: tuple[str, int] = GROUP, wait: float = WAIT) -> list[str]:
    """The IPv4 addresses answered for the name; [] without an answer. Raises OSError.

    A question from a port other than 5353 is answered by unicast (section 6.7), so no group has to be joined.
    """
    number = secrets.randbelow(1 << 16)
    question = _name(name) + struct.pack(">HH", ADDRESS, INTERNET)
    message = struct.pack(">6H", number, 0, 1, 0, 0, 0) + question
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for _ in range(2):
            link.sendto(message, group)
            end = time.monotonic() + wait / 2
            while (left := end - time.monotonic()) > 0:
                link.settimeout(left)
                try:
                    answer = link.recv(9000)
                except TimeoutError:
                    break
                if answer[:2] == message[:2] and (found := addresses(answer)):
                    return found
    return []


def addresses(answer: bytes) -> list[str]:
    """The IPv4 addresses in an answer; [] if it is damaged."""
    found = []
    try:
        _, flags, questions, answers = struct.unpack_from(">4H", answer)
        at = 12
        for _ in range(questions):
            at = _after_name(answer, at) + 4
        for _ in range(answers if flags & 0x8000 else 0):
            at = _after_name(answer, at)
            kind, _, _, length = struct.unpack_from(">HHIH", answer, at)
            data, at = answer[at + 10 : at + 10 + length], at + 10 + length
            if kind == ADDRESS and len(data) == 4:
                found.append(str(ip_address(data)))
    except (struct.error, IndexError):
        pass
    return found


def _name(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in name.encode().split(b".")) + b"\0"


def _after_name(message: bytes, at: int) -> int:
    """The end of the name that starts at `at`; a compressed one ends with a pointer of two bytes."""
    while message[at]:
        if message[at] & 0xC0:
            return at + 2
        at += message[at] + 1
    return at + 1


def name(host: str, port: int, root: Path, ask: Ask = ask) -> Iterator[Finding]:
    """Checks the name of a page that others may reach; `host` is this machine's name."""
    local = f"{host.partition('.')[0]}.local"
    found = ask(local)
    if found:
        yield ok("name.local", f"{local} leads to {', '.join(found)}, port {port}")
        return
    if (root / "usr/sbin/avahi-daemon").exists():
        remedy = "sudo systemctl enable --now avahi-daemon"
    else:
        remedy = "sudo apt-get install avahi-daemon"
    yield warn("name.local", f"no answer for {local}: the page is found by its address only", remedy)
