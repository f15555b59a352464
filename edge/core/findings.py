"""The result of one check of `maskcam doctor`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warn", "bad", "absent"]
MARKS = {"ok": "✓", "warn": "!", "bad": "✗", "absent": "-"}
COLOURS = {"ok": "32", "warn": "33", "bad": "31", "absent": "2"}
"""SGR codes of ECMA-48: green, yellow, red, faint."""
WIDTH = 18
"""Width of the column of names, in characters."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    """ "bad": the settings need it and it does not work; "absent": not there, and not needed."""
    found: str
    remedy: str = ""
    """How to fix it, as a command where there is one."""

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
