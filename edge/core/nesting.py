"""Nesting depth of YAML: deep nesting costs a parser seconds, or all of its stack."""

from __future__ import annotations

import re
from itertools import accumulate

DEEPEST = 50
"""Deeper than any file that a person or a program writes."""


def too_deep(text: str) -> bool:
    """Whether a YAML text is nested too deep to parse; brackets inside quotation marks count too."""
    if re.search(rf"([-?] +){{{DEEPEST}}}", text):  # lists within lists, or keys within keys, on one line
        return True
    marks = re.findall(r"[][{}]", text)
    return max(accumulate(1 if mark in "[{" else -1 for mark in marks), default=0) > DEEPEST
