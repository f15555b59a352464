"""The sinks that only write, with whole histories."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest

from edge.core.errors import SinkError
from edge.core.labels import Mask
from edge.core.records import STATES, Decision, Event
from edge.sinks.jsonl import JsonlSink, to_json
from edge.sinks.log import GRAVE, LogSink, sentence
from edge.testing.sink import MemorySink

BARE = Decision(track_id=3, mask=Mask.OFF, confidence=0.98123, since=11.5)
WORN = Decision(track_id=3, mask=Mask.ON, confidence=0.9, since=20.0)
DECISION = Event("decision", 12.25, BARE)
ALERT = Event("no_mask", 12.4567, BARE)
CLEAR = Event("all_clear", 21.0)
LOST = Event("state", 9.0, state="camera lost", detail="no frame for 5 s")
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


def test_a_mask_worn_wrongly_is_said():
    wrongly = Event("no_mask", 1.0, Decision(3, Mask.OFF, 0.98, 0.5, incorrectly_worn=True))
    assert to_json(wrongly)["incorrectly_worn"] is to_json(wrongly)["worn_wrongly"] is True
    assert sentence(wrongly) == "1.0 s  ALERT: #3 wears the mask incorrectly (98 %)"


def test_a_track_that_turns_out_to_be_no_face_is_said():
    assert sentence(Event("decision", 1.0, Decision(3, Mask.UNSURE, 1.0, 0.5, not_a_face=True))).endswith(
        "#3 is no face (100 %)"
    )


def test_states_of_the_service(caplog):
    assert to_json(LOST) == {"kind": "state", "t": 9.0, "state": "camera lost", "detail": "no frame for 5 s"}
    with caplog.at_level(logging.INFO):
        for event in (Event("state", 0.0, state="starting"), LOST):
            LogSink().send(event)
    said = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert said == [("INFO", "0.0 s  starting"), ("WARNING", "9.0 s  camera lost: no frame for 5 s")]


def test_grave_states_are_states():
    assert set(GRAVE) <= set(STATES)


def test_journal_appends_whole_lines_at_once(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "before"}\n')
    sink = JsonlSink(path)
    for n, event in enumerate(STORY, start=2):
        sink.send(event)
        lines = path.read_text().splitlines()  # read while the sink is still open
        assert len(lines) == n
        assert json.loads(lines[-1]) == to_json(event)
    sink.close()
    with pytest.raises(SinkError, match="cannot be written"):
        sink.send(CLEAR)


def test_journal_writes_to_standard_output_and_leaves_it_open(capsys):
    sink = JsonlSink("")
    sink.send(CLEAR)
    sink.close()
    assert json.loads(capsys.readouterr().out) == to_json(CLEAR)
    assert not sys.stdout.closed
    stream = io.StringIO()
    JsonlSink(stream=stream).send(ALERT)
    assert json.loads(stream.getvalue()) == to_json(ALERT)


def test_journal_that_cannot_be_opened_or_written(tmp_path):
    with pytest.raises(SinkError, match="cannot be opened for appending"):
        JsonlSink(tmp_path / "nowhere" / "events.jsonl")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs Linux's /dev/full")
    sink = JsonlSink(full)
    with pytest.raises(SinkError, match="No space left"):
        sink.send(ALERT)
    with pytest.raises(SinkError, match="cannot be closed"):
        sink.close()
