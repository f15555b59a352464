"""The file of visits: written, read, bounded, cut off in the middle."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path

import pytest

from edge.cli import main
from edge.config import sink_sections
from edge.core.errors import DataError, SinkError
from edge.core.records import VISIT_OUTCOMES, Counts, Event, Origin, Stamp, Visit
from edge.history import store as history_store
from edge.history.reader import History, Past
from edge.history.store import Row
from edge.sinks.history import HistorySink
from edge.sinks.isolated import Isolated
from edge.testing.defaults import with_defaults

HistorySink = with_defaults(HistorySink, sink_sections.History(keep_days=0.0))
Store = with_defaults(history_store.Store, sink_sections.History())

MORNING = datetime(2026, 11, 25, 8, 30).timestamp()
ROOT = Path(__file__).parents[2]


def row(number, first, outcome="on", seconds=5.0, clock_set=True):
    return Row(number, first, first + seconds, outcome, clock_set)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "history.db"


def test_what_is_written_is_read_while_the_writer_is_there(path):
    store = Store(path)
    rows = [
        row(i, MORNING + 10 * i, outcome, clock_set=known)
        for i, (outcome, known) in enumerate(zip(VISIT_OUTCOMES, (True, False, None, True), strict=True))
    ]
    store.write(rows)
    assert History(path).visits() == [Row(r.id, int(r.first), int(r.last), r.outcome, r.clock_set) for r in rows]
    assert History(path).visits(since=MORNING + 15, until=MORNING + 25)[0].id == 2
    store.write([row(2, MORNING + 20, "on", seconds=60.0)])  # the same visit again
    assert [(v.outcome, v.last - v.first) for v in History(path).visits()][2] == ("on", 60)
    store.close()
    assert len(History(path).visits()) == 4


def test_counts_by_day_and_by_hour(path):
    store = Store(path)
    store.write(
        [row(1, MORNING), row(2, MORNING + 60, "off"), row(3, MORNING + 3600, "unsure"), row(4, MORNING + 86400)]
    )
    history = History(path)
    assert history.counts("day") == [Counts("2026-11-25", on=1, off=1, unsure=1), Counts("2026-11-26", on=1)]
    assert [c.day for c in history.counts("hour", until=MORNING + 86400)] == ["2026-11-25T08:00", "2026-11-25T09:00"]
    assert history.counts("day", since=MORNING + 1800)[0] == Counts("2026-11-25", on=1, off=1, unsure=1), "a whole day"
    assert history.counts("hour", since=MORNING + 30)[0] == Counts("2026-11-25T08:00", on=1, off=1), "a whole hour"
    assert history.day(date(2026, 11, 26)) == Counts("2026-11-26", on=1)
    assert history.day(date(2026, 11, 27)) == Counts("2026-11-27")
    store.close()


def test_a_day_of_25_hours_is_counted_as_one(path, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        store = Store(path)
        midnight = datetime(2026, 10, 25).timestamp()
        store.write([row(hour, midnight + 3600 * hour) for hour in range(-1, 26)])
        store.close()
        history, second = History(path), midnight + 3 * 3600  # when it is 2:00 for the second time
        assert [(c.day, c.on) for c in history.counts()] == [("2026-10-24", 1), ("2026-10-25", 25), ("2026-10-26", 1)]
        assert [(c.day, c.on) for c in history.counts("hour", second, second + 3600)] == [("2026-10-25T02:00", 1)]
        assert history.counts("hour")[3] == Counts("2026-10-25T02:00", on=2)
        assert history.counts("day", midnight + 20 * 3600)[0] == Counts("2026-10-25", on=25)
        assert history.day(date(2026, 10, 25)) == Counts("2026-10-25", on=25)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_no_more_than_the_most_are_kept_and_the_newest_stay(path):
    store = Store(path, most=100)
    for i in range(250):
        store.write([row(i, MORNING + i)])
    kept = [visit.id for visit in History(path).visits()]
    assert len(kept) <= 100
    assert kept == list(range(250 - len(kept), 250))
    store.forget(MORNING + 200)
    assert History(path).visits()[0].id == 200
    store.close()
    again = Store(path, most=100)
    again.write([row(1000, MORNING + 999)])
    assert len(History(path).visits()) == 51
    again.close()


def test_a_damaged_file_is_put_aside_and_a_newer_one_is_left_alone(path, caplog):
    Store(path).close()
    for damage in (b"no database at all" * 100, b""):
        path.write_bytes(damage)
        store = Store(path)
        store.write([row(1, MORNING)])
        store.close()
        assert len(History(path).visits()) == 1
    assert (path.parent / "history.db.damaged").read_bytes().startswith(b"no database")
    assert "is damaged" in caplog.text
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(SinkError, match="of a newer maskcam: expected version 1, found 2"):
        Store(path)


def test_a_second_damage_does_not_cost_what_the_first_left(path, caplog):
    Store(path).close()
    for damage in (b"first", b"second", b"third"):
        path.write_bytes(damage * 300)
        Store(path).close()
    kept = [path.with_name(f"history.db.damaged{number}").read_bytes()[:5] for number in ("", 2, 3)]
    assert kept == [b"first", b"secon", b"third"]
    assert "put aside as history.db.damaged3" in caplog.text


def test_the_database_of_another_program_is_left_as_it_is(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE states (a)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(SinkError, match="is the database of another program: expected a name of its own"):
        Store(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.fault("a bit of the history falls over", "impossible numbers in a row", "that row is left out", "-")
@pytest.mark.parametrize(
    "odd", ["4, {t}, {t}, 99, 1", "4, 'abc', x'00ff', 0, 1", f"4, {2**60}, {2**60}, 0, 1", "4, {t}, -5, 0, 1"]
)
def test_a_row_that_cannot_be_right_spoils_no_table(path, odd, capsys):
    store = Store(path)
    store.write([row(1, MORNING)])
    store.close()
    with sqlite3.connect(path) as db:
        db.execute(f"INSERT INTO visits VALUES ({odd.format(t=int(MORNING))})")
    db.close()
    history = History(path)
    assert [v.id for v in history.visits()] == [1]
    assert [c.people for by in ("day", "hour") for c in history.counts(by)] == [1, 1]
    assert Past(history).day(date(2026, 11, 25)).people == 1
    for by in ("visit", "day"):
        assert main(["history", "--file", str(path), "--by", by]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be opened"):
        Store(tmp_path / "file" / "history.db")


def test_what_cannot_be_read_is_said_and_for_a_start_not_known(path):
    for make in (lambda: None, lambda: path.parent.mkdir() or path.write_bytes(b"nonsense" * 99)):
        make()
        with pytest.raises(DataError, match="history"):
            History(path).visits()
        assert Past(History(path)).day(date(2026, 11, 25)) == Counts("2026-11-25")
        assert Past(History(path)).told(date(2026, 11, 25)) is True


def person(number, first, last, outcome="on", t=100.0):
    stamp = Stamp(f"00000000ff-{number}", Origin("door"), MORNING + t, True)
    return Event("person", t, visit=Visit(number, first, last, outcome), stamp=stamp)


def summary(day):
    return Event("summary", 0.0, counts=Counts(day), stamp=Stamp("00-1", Origin("door"), MORNING, True))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_visits_are_written_a_minute_at_a_time_and_nothing_when_nobody_came(path):
    clock = Clock()
    sink = HistorySink(path, every=60.0, clock=clock)
    assert sink.advance(1000.0) is None
    clock.now = 1000.0
    sink.send(person(1, 10.0, 20.0))
    assert sink.advance(1000.1) == 1060.0
    clock.now = 1030.0
    sink.send(person(1, 10.0, 50.0, "off"))
    sink.send(person(2, 30.0, 50.0))
    sink.send(summary("2026-11-24"))
    assert sink.advance(1059.0) == 1060.0
    assert History(path).visits() == []
    assert sink.advance(1060.0) is None
    found = [(int(v.first - MORNING), int(v.last - MORNING), v.outcome) for v in History(path).visits()]
    assert found == [(10, 50, "off"), (30, 50, "on")]
    assert History(path).told(date(2026, 11, 24))
    assert not History(path).told(date(2026, 11, 25))
    sink.send(person(3, 60.0, 70.0))
    sink.close()
    assert len(History(path).visits()) == 3


def test_old_visits_go_but_not_by_a_clock_that_is_not_set(path):
    sink = HistorySink(path, keep_days=1.0)
    late = Event("person", 9e5, visit=Visit(9, 9e5, 9e5, "on"), stamp=Stamp("01-1", Origin("d"), MORNING + 9e5, False))
    for event in (person(1, 0.0, 5.0), late):
        sink.send(event)
    sink.advance(1e9)
    assert len(History(path).visits()) == 2
    sink.send(person(2, 2e5, 2e5 + 5, t=2e5 + 9))
    sink.close()
    assert [v.first - MORNING for v in History(path).visits()] == [2e5, 9e5]


def test_a_disk_that_is_full_for_a_while_costs_nothing(path, monkeypatch):
    failing = [True]
    write = history_store.Store.write

    def full(self, rows, told=()):
        if failing[0]:
            raise SinkError("no room")
        write(self, rows, told)

    monkeypatch.setattr(history_store.Store, "write", full)
    kept: dict[int, Row] = {}
    history = lambda: HistorySink(path, every=0.01, kept=kept)  # noqa: E731
    sink = Isolated("sinks.history", history, kinds=("person",), attempts=1000, pause=0.01, longest=0.01, patience=60)
    sink.send(person(1, 10.0, 20.0))
    while not sink.failed:
        pass
    sink.send(person(2, 30.0, 50.0))
    failing[0] = False
    while sink.problem or len(kept):
        pass
    sink.close()
    assert [v.last - MORNING for v in History(path).visits()] == [20, 50]


WRITER = """
import sys, itertools
from pathlib import Path
from edge.history.store import Row, Store
store = Store(Path(sys.argv[1]), most=500)
begin = int(sys.argv[2])
for n in itertools.count(begin):
    store.write([Row(n, 1.8e9 + n, 1.8e9 + n + 5, "on", True), Row(n - 1, 1.8e9 + n - 1, 1.8e9 + n + 9, "off", True)])
    print(n, flush=True)
"""
"""Commits one visit after the other, and says so after each commit."""


def killed(path: Path, begin: int, commits: int, delay: float) -> int:
    """A writer that is killed `delay` seconds after its so many commits; returns the last visit it said was written."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(begin)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        last = begin - 1
        for _ in range(commits):
            last = int(writer.stdout.readline())
        if delay:
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(delay)
        os.kill(writer.pid, signal.SIGKILL)
        for line in writer.stdout:
            last = int(line) if line.endswith("\n") else last
    return last


def test_killed_at_random_points_it_always_opens_and_every_commit_is_there(path):
    """TEST_KILLS=300: as often as that; make test-history does so."""
    chance, begin = random.Random(7), 1
    for _ in range(int(os.environ.get("TEST_KILLS", "5"))):
        last = killed(path, begin, chance.randint(1, 40), chance.random() * 0.02)
        visits = History(path).visits()
        assert visits[-1].id in (last, last + 1)  # the kill can fall between a commit and its saying so
        assert [v.id for v in visits] == list(range(visits[0].id, visits[-1].id + 1))
        assert len(visits) == min(visits[-1].id + 1, len(visits)) <= 500
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
        begin = visits[-1].id + 1
    assert not list(path.parent.glob("*.damaged"))
