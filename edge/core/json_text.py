"""Parses untrusted JSON: every defect raises the same kind of error."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """Like `json.loads`. Raises JSONDecodeError or UnicodeDecodeError, both of them ValueError.

    `json.loads` itself raises RecursionError for a few thousand nested brackets, and a plain ValueError for an integer
    with more digits than Python converts.
    """
    try:
        return json.loads(text)
    except RecursionError:
        reason = "nested too deep"
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        reason = "a number of thousands of digits"
    raise json.JSONDecodeError(reason, "", 0)
