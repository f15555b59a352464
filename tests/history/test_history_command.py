"""`maskcam history` on a file of our own."""

import csv
import io
from datetime import datetime

import pytest

from edge.cli import main
from edge.config import sink_sections
from edge.history.store import Row, Store
from edge.testing.defaults import with_defaults

Store = with_defaults(Store, sink_sections.History())

MORNING = datetime(2026, 11, 25, 8, 30).timestamp()


@pytest.fixture
def file(tmp_path):
    store = Store(tmp_path / "history.db")
    outcomes = ("on", "on", "off", "unsure", "incorrectly_worn")
    store.write([Row(i, MORNING + 3600 * i, MORNING + 3600 * i + 5, o, None) for i, o in enumerate(outcomes)])
    store.close()
    return tmp_path / "history.db"


def said(capsys, *argv) -> str:
    assert main(["history", *map(str, argv)]) == 0
    return capsys.readouterr().out


def test_a_table_of_days(file, capsys):
    assert said(capsys, "--file", file).splitlines() == [
        "day         people  on  off  incorrectly_worn  unsure  mask_share",
        "2026-11-25  5       2   1    1                 1       50",
    ]


def test_hours_for_a_spreadsheet(file, capsys):
    rows = list(csv.DictReader(io.StringIO(said(capsys, "--file", file, "--by", "hour", "--csv"))))
    assert [(row["hour"], row["people"], row["mask_share"]) for row in rows][:4] == [
        ("2026-11-25T08:00", "1", "100"),
        ("2026-11-25T09:00", "1", "100"),
        ("2026-11-25T10:00", "1", "0"),
        ("2026-11-25T11:00", "1", ""),
    ]


def test_since_and_visits(file, capsys):
    rows = said(capsys, "--file", file, "--since", "2026-11-25T12:00", "--by", "visit", "--csv").splitlines()
    assert [row.split(",")[2] for row in rows] == ["outcome", "incorrectly_worn"]
    assert said(capsys, "--file", file, "--since", "2030-01-01") == "nobody came in this period\n"
    assert len(said(capsys, "--file", file, "--since", "9999w").splitlines()) == 2


@pytest.mark.parametrize("since", ["", "7", "7y", "-7d", "yesterday", "9" * 5000 + "d", "2026-13-01", "\0"])
def test_a_time_that_is_none(file, since, capsys):
    assert main(["history", "--file", str(file), f"--since={since}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected 30m, 12h, 7d, 4w or a date such as 2026-11-25" in line
    assert len(line) < 200


def test_without_a_history_it_says_how_to_get_one(tmp_path, capsys):
    assert main(["history", "--set", f"sinks.history.path={tmp_path / 'none.db'}"]) == 2
    assert "does not exist: switch it on with a section [sinks.history]" in capsys.readouterr().err
