"""Every sink, with whole histories."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest

from edge.errors import ConfigError, MissingPackage, SinkError
from edge.labels import Mask
from edge.records import Decision, Event
from edge.sinks.gpio import GpioSink
from edge.sinks.journal import JournalSink, to_json
from edge.sinks.log import LogSink
from edge.sinks.memory import MemorySink

BARE = Decision(track_id=3, mask=Mask.OFF, confidence=0.98123, since=11.5)
WORN = Decision(track_id=3, mask=Mask.ON, confidence=0.9, since=20.0)
DECISION = Event("decision", 12.25, BARE)
ALERT = Event("no_mask", 12.4567, BARE)
CLEAR = Event("all_clear", 21.0)
STORY = [DECISION, ALERT, ALERT, Event("decision", 20.0, WORN), CLEAR]


def test_memory_remembers():
    sink = MemorySink()
    for event in STORY:
        sink.send(event)
    assert (sink.events, sink.closed) == (STORY, False)
    sink.close()
    assert sink.closed


def test_log_warns_of_alerts_only(caplog):
    sink = LogSink()
    with caplog.at_level(logging.INFO):
        for event in (DECISION, ALERT, CLEAR):
            sink.send(event)
    sink.close()
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "12.2 s  #3 wears no mask (98 %)"),
        ("WARNING", "12.5 s  ALERT: #3 wears no mask (98 %)"),
        ("INFO", "21.0 s  all clear"),
    ]


def test_journal_fields():
    assert to_json(ALERT) == {
        "kind": "no_mask",
        "t": 12.457,
        "track": 3,
        "mask": "off",
        "confidence": 0.9812,
        "since": 11.5,
    }
    assert to_json(CLEAR) == {
        "kind": "all_clear",
        "t": 21.0,
        "track": None,
        "mask": None,
        "confidence": None,
        "since": None,
    }


def test_journal_appends_whole_lines_at_once(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "before"}\n')
    sink = JournalSink(path)
    for n, event in enumerate(STORY, start=2):
        sink.send(event)
        lines = path.read_text().splitlines()  # read while the sink is still open
        assert len(lines) == n
        assert json.loads(lines[-1]) == to_json(event)
    sink.close()
    with pytest.raises(SinkError, match="cannot be written"):
        sink.send(CLEAR)


def test_journal_writes_to_standard_output_and_leaves_it_open(capsys):
    sink = JournalSink()
    sink.send(CLEAR)
    sink.close()
    assert json.loads(capsys.readouterr().out) == to_json(CLEAR)
    assert not sys.stdout.closed
    stream = io.StringIO()
    JournalSink(stream=stream).send(ALERT)
    assert json.loads(stream.getvalue()) == to_json(ALERT)


def test_journal_that_cannot_be_opened_or_written(tmp_path):
    with pytest.raises(SinkError, match="cannot be opened for appending"):
        JournalSink(tmp_path / "nowhere" / "events.jsonl")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs Linux's /dev/full")
    sink = JournalSink(full)
    with pytest.raises(SinkError, match="No space left"):
        sink.send(ALERT)
    with pytest.raises(SinkError, match="cannot be closed"):
        sink.close()


@pytest.mark.parametrize(("active_high", "high"), [(True, True), (False, False)])
def test_the_light_follows_the_alert_and_tells_each_change_once(active_high, high):
    said = []
    sink = GpioSink(17, active_high, announce=said.append)
    for event in STORY:
        sink.send(event)
    assert sink.pin.history == [not high, high, not high]
    sink.send(ALERT)
    sink.close()
    assert sink.pin.history == [not high, high, not high, high, not high]
    assert sink.pin.closed
    assert said == ["LED GPIO17: ON", "LED GPIO17: OFF"] * 2


def test_a_dark_light_is_closed_in_silence():
    said = []
    sink = GpioSink(17, announce=said.append)
    sink.send(DECISION)
    sink.close()
    assert (sink.pin.history, said, sink.pin.closed) == ([False], [], True)


def test_a_driver_nobody_knows():
    with pytest.raises(ConfigError, match=r"'relay'.*expected mock or gpiozero"):
        GpioSink(17, driver="relay")


def test_without_gpiozero_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(MissingPackage, match=r"gpiozero.*maskcam\[pi\]"):
        GpioSink(17, driver="gpiozero")


@pytest.fixture
def board():
    """gpiozero's own imitation of a Pi's pins."""
    gpiozero = pytest.importorskip("gpiozero", reason="gpiozero is not installed")
    from gpiozero.pins.mock import MockFactory

    before, gpiozero.Device.pin_factory = gpiozero.Device.pin_factory, MockFactory()
    yield gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory.close()
    gpiozero.Device.pin_factory = before


@pytest.mark.parametrize("active_high", [True, False])
def test_gpiozero_drives_the_pin(board, active_high):
    sink = GpioSink(17, active_high, driver="gpiozero")
    pin = board.pin(17)
    pin.clear_states()
    for event in STORY:
        sink.send(event)
    assert [bool(s.state) for s in pin.states] == [not active_high, active_high, not active_high]
    sink.send(ALERT)
    sink.close()
    assert [bool(s.state) for s in pin.states][-2:] == [active_high, not active_high]


def test_gpiozero_says_why_a_pin_cannot_be_had(board):
    sink = GpioSink(17, driver="gpiozero")
    with pytest.raises(SinkError, match=r"LED GPIO17: cannot be opened .*in use"):
        GpioSink(17, driver="gpiozero")
    sink.close()
    GpioSink(17, driver="gpiozero").close()
