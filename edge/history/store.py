"""Writes visits to the history's file. A power cut loses what was not committed, never the file."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.core import files
from edge.core.errors import SinkError
from edge.core.records import VISIT_OUTCOMES

log = logging.getLogger(__name__)

VERSION = 1
"""Version of the tables."""
_TABLES = """
CREATE TABLE visits (
    id INTEGER PRIMARY KEY,    -- run and number of the visit
    first INTEGER NOT NULL,    -- seconds since 1970
    last INTEGER NOT NULL,
    outcome INTEGER NOT NULL,  -- place in edge.core.records.VISIT_OUTCOMES
    clock INTEGER              -- whether the clock was set: 1, 0, or NULL where the system did not tell
);
CREATE TABLE told (day TEXT PRIMARY KEY) WITHOUT ROWID;  -- days that were summed up
"""
_OLDEST = "DELETE FROM visits WHERE id IN (SELECT id FROM visits ORDER BY first LIMIT ?)"
_OLD_DAYS = "DELETE FROM told WHERE day NOT IN (SELECT day FROM told ORDER BY day DESC LIMIT 400)"


@dataclass(frozen=True, slots=True)
class Row:
    """A visit as it is stored."""

    id: int
    first: float
    """Seconds since 1970."""
    last: float
    outcome: str
    clock_set: bool | None


class Store:
    """Writes visits, also while `edge.history.reader` is reading.

    Every commit is on the disk when `write` returns (WAL, synchronous FULL). At most `most` visits are kept: beyond
    that, the oldest one percent is removed. A damaged file is renamed to NAME.damaged (NAME.damaged2, ...) and a new
    one is started. Raises SinkError.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        try:
            self._db = self._opened()
            (self._count,) = self._db.execute("SELECT count(*) FROM visits").fetchone()
        except SinkError:  # it belongs to another program, or to a newer version
            raise
        except (sqlite3.Error, OSError) as error:
            raise SinkError(f"history '{path}' cannot be opened ({error}): expected a folder to write to") from None

    def write(self, rows: Iterable[Row], told: Iterable[str] = ()) -> None:
        """Writes in one transaction; a visit that was written before is replaced."""
        values = [(r.id, int(r.first), int(r.last), VISIT_OUTCOMES.index(r.outcome), r.clock_set) for r in rows]
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                known = sum(
                    self._db.execute("SELECT count(*) FROM visits WHERE id = ?", (id,)).fetchone()[0]
                    for id, *_ in values
                )
                self._db.executemany("INSERT OR REPLACE INTO visits VALUES (?, ?, ?, ?, ?)", values)
                self._db.executemany("INSERT OR IGNORE INTO told VALUES (?)", [(day,) for day in told])
                count = self._count + len(values) - known
                if count > self._most:
                    excess = count - self._most + self._most // 100
                    self._db.execute(_OLDEST, (excess,))
                    self._db.execute(_OLD_DAYS)
                    count -= excess
            self._count = count
        except sqlite3.Error as error:
            raise SinkError(f"history '{self._path}' cannot be written ({error})") from None

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def forget(self, before: float) -> None:
        """Removes visits that began before that time, seconds since 1970."""
        try:
            with self._db:
                self._count -= self._db.execute("DELETE FROM visits WHERE first < ?", (int(before),)).rowcount
        except sqlite3.Error as error:
            raise SinkError(f"history '{self._path}' cannot be written ({error})") from None

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _connected(self._path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # full, locked, no permission: it may be intact
                raise
            aside = files.unused(self._path.with_name(f"{self._path.name}.damaged"))
            log.error("history '%s' is damaged (%s): put aside as %s", self._path, error, aside.name)
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}{ending}", f"{aside}{ending}")
        return _connected(self._path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise SinkError(f"history '{path}' is of a newer maskcam: expected version {VERSION}, found {version}")
        (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if sound != "ok":
            raise sqlite3.DatabaseError(sound)
        if not version and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise SinkError(f"history '{path}' is the database of another program: expected a name of its own")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 64")
        db.execute("PRAGMA journal_size_limit = 1048576")
        if version < VERSION:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db
