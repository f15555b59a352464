"""Text that others had a hand in, fit for a log and a terminal: a server's words, a name from the network, a path."""

from __future__ import annotations

LONGEST = 1000
"""Characters of a line."""


def plain(text: str) -> str:
    """Line breaks and tabs stay; what else moves a cursor, or cannot be written as UTF-8, is shown as an escape.

    A longer line ends with the number of its characters.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return "\n".join(map(_short, text.split("\n"))) if len(text) > LONGEST else text


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}... ({len(line)} characters)"
