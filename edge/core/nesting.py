"""How deep lists stand within lists: parsers of YAML take seconds, or all of the stack, to find that out."""

from __future__ import annotations

import re
from itertools import accumulate

DEEPEST = 50
"""More than any file that a person or a tool writes."""


def too_deep(text: str) -> bool:
    """Whether a text of YAML is not worth a parser's time; brackets within quotation marks count too."""
    if re.search(rf"([-?] +){{{DEEPEST}}}", text):  # lists within lists, or keys within keys, on one line
        return True
    marks = re.findall(r"[][{}]", text)
    return max(accumulate(1 if mark in "[{" else -1 for mark in marks), default=0) > DEEPEST
