"""What a check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warn", "bad", "absent"]
MARKS = {"ok": "✓", "warn": "!", "bad": "✗", "absent": "-"}
COLOURS = {"ok": "32", "warn": "33", "bad": "31", "absent": "2"}
"""Numbers of ECMA-48's SGR: green, yellow, red, faint."""
WIDTH = 18
"""Characters of the longest name."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    """ "bad": maskcam cannot do what its settings ask; "absent": not there, and not asked for."""
    found: str
    remedy: str = ""
    """What mends it, a command where there is one."""

    def __post_init__(self) -> None:
        if self.state in ("warn", "bad") and not self.remedy:
            raise ValueError(f"{self.name}: '{self.found}' without a remedy")

    def render(self, colour: bool = False) -> str:
        mark = MARKS[self.state]
        if colour:
            mark = f"\x1b[{COLOURS[self.state]}m{mark}\x1b[0m"
        lines = [f"{mark} {self.name:<{WIDTH}}  {self.found}"]
        if self.remedy:
            lines.append(f"{'':{WIDTH + 4}}→ {self.remedy}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def ok(name: str, found: str) -> Finding:
    return Finding(name, "ok", found)


def warn(name: str, found: str, remedy: str) -> Finding:
    return Finding(name, "warn", found, remedy)


def bad(name: str, found: str, remedy: str) -> Finding:
    return Finding(name, "bad", found, remedy)


def absent(name: str, found: str, remedy: str = "") -> Finding:
    return Finding(name, "absent", found, remedy)
