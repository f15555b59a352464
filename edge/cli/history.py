"""`maskcam history`: how many people came, when, and how many wore a mask."""

from __future__ import annotations

import argparse
import csv
import re
import sys
import time
from datetime import datetime
from typing import Any

from edge.cli.arguments import command, load, settings
from edge.core.paths import any_path

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_COUNTED = ("people", "on", "off", "incorrectly_worn", "unsure")


def add(commands: Any) -> None:
    parser = command(
        commands,
        "history",
        run,
        "show how many people came, and how many wore a mask",
        "maskcam history --since 7d --by hour --csv",
    )
    parser.description = (
        f"{parser.description}\n\nThe section [sinks.history] of the settings turns it on. It keeps counts, never "
        "pictures. Times are local."
    )
    settings(parser)
    parser.add_argument("--file", type=any_path, help="instead of sinks.history.path or /var/lib/maskcam/history.db")
    parser.add_argument(
        "--since",
        type=_since,
        default=None,
        metavar="AGO",
        help="30m, 12h, 7d, 4w or 2026-11-25 (the beginning)",
    )
    parser.add_argument("--by", choices=("day", "hour", "visit"), default="day", help="a line for each (day)")
    parser.add_argument("--csv", action="store_true", help="for spreadsheets and programs")


def run(args: argparse.Namespace) -> None:
    from edge.config.sink_sections import History as Section
    from edge.core.events import iso
    from edge.history.reader import History

    path = args.file
    if path is None:
        from edge.assemble.sinks import history_file

        path = history_file(load(args).sinks.history or Section())
    history, since = History(path), args.since or 0.0
    if args.by == "visit":
        head: tuple[str, ...] = ("first", "last", "outcome", "clock_set")
        set_ = {True: "yes", False: "no", None: ""}
        rows: list[tuple[str, ...]] = [
            (iso(v.first), iso(v.last), v.outcome, set_[v.clock_set]) for v in history.visits(since)
        ]
    else:
        head = (args.by, *_COUNTED, "mask_share")
        rows = [
            (c.day, *(str(getattr(c, name)) for name in _COUNTED), "" if c.mask_share is None else f"{c.mask_share:g}")
            for c in history.counts(args.by, since)
        ]
    if args.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([head, *rows])
        return
    if not rows:
        print("nobody came in this period")
        return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _since(text: str) -> float:
    """Seconds since 1970 of "7d" (that long ago) or a date, with or without a time."""
    if found := re.fullmatch(r"(\d{1,6})([mhdw])", text.strip()):
        return max(time.time() - int(found[1]) * _UNITS[found[2]], 0.0)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        said = f"{text[:40]!r}: expected 30m, 12h, 7d, 4w or a date such as 2026-11-25"
        raise argparse.ArgumentTypeError(said) from None
