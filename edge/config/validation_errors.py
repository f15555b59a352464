"""Turns validation errors of settings into lines with place, key, value and expectation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from edge.config.renamed import Key
from edge.config.schema import field, harmless, keys, section
from edge.config.settings import Settings
from edge.core import secrets


def explain(error: ValidationError, origins: Mapping[Key, str]) -> Iterator[str]:
    """One line per key that is wrong, in the order of `origins` (key -> the place where it was set)."""
    wrong: dict[Key, list[Any]] = {}
    for item in error.errors(include_url=False):
        wrong.setdefault(_key(item), []).append(item)
    order = {place: number for number, place in enumerate(origins.values())}
    for key, items in sorted(wrong.items(), key=lambda pair: order.get(_place(pair[0], origins), -1)):
        dotted, item = secrets.key(key), items[0]
        if item["type"] == "extra_forbidden":
            yield f"{_place(key, origins)}: unknown key '{dotted}'{_nearest(key)}"
        elif item["type"] == "value_error":
            said, found = str(item["ctx"]["error"]), field(key)
            named = [k for k in origins if k[:-1] == key and k[-1] in said.split()]
            what = f"[{dotted}]" if found and section(found.annotation) else dotted
            yield f"{_place(named[-1] if named else key, origins)}: {what} {said}"
        else:
            expected = " or ".join(dict.fromkeys(_expected(item, key) for item in items))
            given = secrets.value(item["input"], harmless(key))
            yield f"{_place(key, origins)}: {dotted} = {given}: expected {expected}"


def _key(item: Any) -> Key:
    """The key that an error of pydantic is about; for a union, its place also names the member that complains."""
    *above, last = map(str, item["loc"])
    key: Key = ()
    for part in above:
        if field((*key, part)):
            key = (*key, part)
    return (*key, last) if field((*key, last)) or item["type"] == "extra_forbidden" else key


def _place(key: Key, origins: Mapping[Key, str]) -> str:
    """Where a key was set: its own origin, else that of the nearest section around it."""
    return next((origins[key[:i]] for i in range(len(key), 0, -1) if key[:i] in origins), "settings")


def _nearest(key: Key) -> str:
    """The remedy for an unknown key: the closest known key, otherwise the known ones."""
    inside = field(key[:-1])
    model = section(inside.annotation) if inside else Settings
    known = list(model.model_fields) if model else []
    close = difflib.get_close_matches(key[-1], known, n=1)
    elsewhere = [".".join(other) for other in keys() if other[-1] == key[-1]]
    if close:
        return f": did you mean '{secrets.key((*key[:-1], close[0]))}'?"
    if elsewhere:
        return f": did you mean '{elsewhere[0]}'?"
    return f": expected one of {', '.join(known)}"


def _expected(item: Any, key: Key) -> str:
    kinds = {"int_type": "a whole number", "float_type": "a number", "string_type": "a text"}
    kinds |= {
        "bool_type": "true or false",
        "model_type": f"a section [{'.'.join(key)}]",
        "list_type": "a list in brackets",
    }
    said = str(item["msg"]).replace(" after validation", "")
    return kinds.get(item["type"], re.sub(r"^(Input|String|List) should (be |have |match )?", "", said))
