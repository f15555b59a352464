"""Reads TOML, and says of a line that is none what to write in its place."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

HABITS = (
    (r".*[\u2018-\u201f\u00ab\u00bb].*", 'expected straight quotes, as in name = "door"'),
    (r"\[[^\]\[=]*", "expected a closing ], as in [camera]"),
    (r"[^=\[\],]*|[^=]*[^=\w\s\"'.-][^=]*=.*|[^=]*\w +\w[^=]*=.*|=.*|[^=]*==.*", "expected key = value"),
    (r"= *", "expected a value after ="),
    (r"= *(?i:null|none|nil|~)", "expected a value; without the line, the default holds"),
    (r"= *.*;", "expected no ; after the value"),
    (r"= *(?i:true|yes|on|enabled)", "expected true, in small letters"),
    (r"= *(?i:false|no|off|disabled)", "expected false, in small letters"),
    (r"(.*[=,\[])? *[+-]?(\.\d+|\d+\. *(,|\]|$)).*", "expected a digit before and after the point, as in 0.5"),
    (r"= *[+-]?\d+,\d+", "expected a point in a number, as in 0.5"),
    (r"= *[^\[{,\"']+(,[^,]*)+", "expected brackets around a list, as in [1, 2]"),
    (r"= *[+-]?0\d+", "expected a number that does not begin with 0, or a text in quotes"),
    (r"= *[+-]?[\d.]+ *[^\s\d.,\]:T-]+", "expected a number without a unit, or a text in quotes"),
    (r'= *"[^"]*\\.*', r"expected single quotes around a text with a backslash, as in 'C:\door'"),
    (r"= *[\"'].*", "expected a text that ends with the quote that it begins with, and nothing after it"),
    (r"= *[^\[{\"'].*", 'expected a text in quotes, as in name = "door"'),
)
"""What people write in a line without its comment -> what TOML expects; the first that fits is said.

A pattern that begins with = is that of the part from there on.
"""
LONGEST = 200
"""Characters of a line that is looked at: patterns take the square of its length."""
ITSELF = ("Cannot", "Duplicate", "Unclosed")
"""How the errors begin that are not about how a value is written."""


def loads(text: str) -> dict[str, Any]:
    """The values of a TOML document.

    Raises ValueError with the line and, where a habit explains it, the remedy; it never shows a value, which may be a
    password. Raises RecursionError for thousands of brackets.
    """
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except ValueError as error:
        remedy = _remedy(text, error)
        raise ValueError(f"{error}: {remedy}" if remedy else str(error)) from None
    return values


def line_of(text: str, error: Exception) -> int:
    """The line, from 1, that an error of `loads` is about; the last one with text where it names none."""
    place = re.search(r"at line (\d+)", str(error))
    return int(place[1]) if place else len(text.rstrip().split("\n"))


def _remedy(text: str, error: ValueError) -> str:
    """What TOML expects in the line that the error is about; empty where no habit explains it."""
    line = re.sub(r"\s+#.*", "", text.split("\n")[line_of(text, error) - 1]).strip()
    if str(error).startswith(ITSELF) or len(line) > LONGEST:
        return ""
    value = line[line.find("=") :] if "=" in line else ""
    for habit, remedy in HABITS:
        if re.fullmatch(habit, value if habit.startswith("=") else line):
            return remedy
    return ""
