"""One JSON object per line and event, for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from edge.core.errors import SinkError
from edge.core.records import Event


class JsonlSink:
    """Appends to the file `path`, or writes to `stream` (standard output by default), a whole line at a time."""

    def __init__(self, path: str | Path | None = None, stream: TextIO | None = None) -> None:
        self._name = str(path) if path else "standard output"
        self._owned = bool(path)
        try:
            self._stream = open(path, "a", encoding="utf-8") if path else stream or sys.stdout  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise SinkError(f"JSON lines '{path}': cannot be opened for appending ({error.strerror})") from error

    def send(self, event: Event) -> None:
        try:
            self._stream.write(json.dumps(to_json(event)) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise SinkError(f"JSON lines '{self._name}': cannot be written ({error})") from error

    def close(self) -> None:
        """Closes the file; a stream belongs to whoever opened it."""
        if self._owned:
            try:
                self._stream.close()
            except OSError as error:
                raise SinkError(f"JSON lines '{self._name}': cannot be closed ({error})") from error


def to_json(event: Event) -> dict[str, Any]:
    """`kind`, `t`, `track`, `mask`, `confidence`, `since`; the last four are None without a decision.

    A mask that is worn incorrectly adds `incorrectly_worn`. Of the kind "state": `kind`, `t`, `state`, `detail`.
    """
    d = event.decision
    if event.kind == "state":
        return {"kind": event.kind, "t": round(event.t, 3), "state": event.state, "detail": event.detail}
    return {
        "kind": event.kind,
        "t": round(event.t, 3),
        "track": d.track_id if d else None,
        "mask": d.mask.value if d else None,
        "confidence": round(float(d.confidence), 4) if d else None,
        "since": round(d.since, 3) if d else None,
        # "worn_wrongly" is the name before 0.2, kept for that release.
        **({"incorrectly_worn": True, "worn_wrongly": True} if d and d.incorrectly_worn else {}),
    }
