"""Events as JSON: every kind fits the schema that is shipped, and old readers find what they know."""

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from edge.core.events import SCHEMA, iso, schema, to_json
from edge.core.labels import Mask
from edge.core.records import FIGURES, KINDS, STATES, Counts, Decision, Event, Origin, Stamp, Visit

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

BARE = Decision(track_id=3, mask=Mask.OFF, confidence=0.98123, since=11.5)
STAMP = Stamp("0123456789-7", Origin("door", "left", "0.2.0", "maskcam 2026-11-21"), 1795630000.25, True)
DAY = Counts("2026-11-25", present=2, on=3, off=1, unsure=1)
EVERY = [
    Event("decision", 12.25, BARE),
    Event("decision", 12.25, replace(BARE, mask=Mask.UNSURE), file="photos/a.jpg"),
    Event("no_mask", 12.4567, replace(BARE, incorrectly_worn=True)),
    Event("all_clear", 21.0),
    *(Event("state", 9.0, state=state, detail="no frame for 5 s") for state in STATES),
    Event("state", 9.0, state="blind", detail="too dark", file="photos/b.jpg"),
    Event("snooze", 30.0, state="on", seconds=3600.0),
    Event("snooze", 31.0, state="off"),
    Event("person", 30.0, BARE, visit=Visit(4, 10.0, 29.0, "off")),
    Event("person", 30.0, visit=Visit(5, 10.0, 29.0, "unsure")),
    Event("counts", 31.0, counts=DAY),
    Event("summary", 32.0, counts=DAY, detail="2026-11-25: 5 people"),
]


def check(said) -> None:
    jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER).validate(
        said
    )


@pytest.mark.parametrize("event", EVERY, ids=lambda event: f"{event.kind} {event.state}")
@pytest.mark.parametrize("stamp", [STAMP, replace(STAMP, time=None, clock_set=None, origin=Origin("door"))])
def test_every_kind_fits_the_schema(event, stamp):
    check(json.loads(json.dumps(to_json(replace(event, stamp=stamp)))))


def test_every_kind_was_tried():
    assert {event.kind for event in EVERY} == {*KINDS, *FIGURES} == set(schema()["properties"]["kind"]["enum"])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"id": None},
        {"time": 5},
        {"mask": "perhaps"},
        {"confidence": 1.5},
        {"schema": 2},
        {"t": "now"},
    ],
    ids=str,
)
def test_the_schema_refuses(change):
    with pytest.raises(jsonschema.ValidationError):
        check(to_json(replace(EVERY[0], stamp=STAMP)) | change)


@pytest.mark.parametrize("missing", ["kind", "time", "device", "track", "schema"])
def test_the_schema_misses(missing):
    said = to_json(replace(EVERY[0], stamp=STAMP))
    del said[missing]
    with pytest.raises(jsonschema.ValidationError):
        check(said)


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_old_fields_stay():
    alert = to_json(replace(EVERY[2], stamp=STAMP))
    old = {"kind": "no_mask", "t": 12.457, "track": 3, "mask": "off", "confidence": 0.9812, "since": 11.5}
    assert alert.items() >= (old | {"worn_wrongly": True}).items()
    nobody = {"track": None, "mask": None, "confidence": None, "since": None}
    assert to_json(EVERY[3]).items() >= ({"kind": "all_clear", "t": 21.0} | nobody).items()
    lost = to_json(Event("state", 9.0, state="camera lost", detail="no frame"))
    assert lost.items() >= {"kind": "state", "t": 9.0, "state": "camera lost", "detail": "no frame"}.items()


def test_who_and_when():
    said = to_json(replace(EVERY[0], stamp=STAMP))
    assert {key: said[key] for key in ("id", "device", "camera", "software", "bundle", "clock_set", "schema")} == {
        "id": "0123456789-7",
        "device": "door",
        "camera": "left",
        "software": "0.2.0",
        "bundle": "maskcam 2026-11-21",
        "clock_set": True,
        "schema": 1,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.250[+-]\d\d:\d\d", said["time"])
    assert datetime.fromisoformat(said["time"]).timestamp() == 1795630000.25


def test_a_visit_has_clock_times_of_its_own():
    said = to_json(replace(EVERY[-4], stamp=STAMP))
    assert (said["first"], said["last"]) == (iso(1795630000.25 - 20), iso(1795630000.25 - 1))
    assert (said["visit"], said["outcome"]) == (4, "off")


def test_the_share_is_of_those_who_were_judged():
    assert (DAY.people, DAY.mask_share) == (5, 75.0)
    assert Counts("2026-11-25", unsure=3).mask_share is None


DOCUMENT = Path(__file__).parents[2] / "docs" / "events.md"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not here")
def test_the_examples_of_the_document_are_events():
    blocks = re.findall(r"```jsonl?\n(.*?)```", DOCUMENT.read_text(), re.S)
    events = [json.loads(line) for block in blocks for line in block.splitlines()]
    assert {event["kind"] for event in events} == {*KINDS, *FIGURES}
    for event in events:
        check(event)
