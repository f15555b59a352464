"""How a bundle does at its door: signs are counted since it first ran there, and outlive restarts and updates."""

import json
from types import SimpleNamespace

import pytest

from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Event, Frame, Observation, Track, Visit
from edge.runtime import door
from edge.runtime.door import Door

NOW = 1_780_000_000.0
OLD, NEW = (SimpleNamespace(fingerprint=mark, name="faces", created=day) for mark, day in (("a", "1"), ("b", "2")))


class Clock:
    now, right = NOW, True

    def options(self):
        return {"clock_set": lambda: self.right, "wall": lambda: self.now, "clock": lambda: self.now}


@pytest.fixture
def clock():
    return Clock()


def seen(*people):
    """A frame with (number, mask) of each person."""
    tracks = [Track(k, Box(10, 10, 90, 90), 1.0, 9) for k, _ in people]
    return Observation(Frame(0, 1.0, None), tracks, [Decision(k, mask, 0.9, 0.0) for k, mask in people])


def told(found, *events):
    for event in events:
        found.add_event(event)
    found.see(seen())


def visit(number, outcome="on"):
    return Event("person", 1.0, visit=Visit(number, 0.0, 1.0, outcome))


def counts(found):
    return found.now.people, found.now.unsure, found.now.changed, found.now.wrong


def test_people_doubts_changes_and_complaints_are_counted_each_once(clock):
    found = Door(OLD, None, **clock.options())
    assert found.report()["said"] == "faces of 1, here since 2026-05-28 for 0 h: no visit counted yet"
    for mask in (Mask.ON, Mask.UNSURE, Mask.ON, Mask.OFF, Mask.ON):
        found.see(seen((1, mask), (2, Mask.OFF)))
    told(found, visit(1, "unsure"))
    assert counts(found) == (1, 1, 1, 0)
    told(found, visit(1, "on"), visit(2, "unsure"), visit(3))  # a visit that lasts is told again
    found.wrong()
    assert counts(found) == (3, 1, 1, 1)
    assert found.report()["said"].endswith("3 people: 33 % not judged, changed its mind about 33 %, called wrong once")


def test_things_are_nobody(clock):
    found = Door(OLD, None, **clock.options())
    for mask in (Mask.ON, Mask.OFF):
        observation = seen((1, mask))
        thing = Decision(1, mask, 0.9, 0.0, not_a_face=True)
        found.see(Observation(observation.frame, observation.tracks, [thing]))
    assert counts(found) == (0, 0, 0, 0)


def test_the_counts_outlive_a_restart_and_a_cut_costs_ten_minutes(tmp_path, clock):
    first = Door(OLD, tmp_path, **clock.options())
    told(first, visit(1))
    assert json.loads((tmp_path / door.FILE).read_text())[0]["people"] == 0, "a card is not worn out"
    clock.now += door.EVERY
    told(first, visit(2))
    told(first, visit(3))  # lost: the power is cut now
    second = Door(OLD, tmp_path, **clock.options())
    assert (counts(second), second.now.since) == ((2, 0, 0, 0), NOW)
    told(second, visit(1, "unsure"))  # numbers of visits begin anew with a run
    second.close()
    assert counts(Door(OLD, tmp_path, **clock.options())) == (3, 1, 0, 0)


def test_another_bundle_begins_anew_beside_the_one_before_and_one_that_comes_back_goes_on(tmp_path, clock):
    old = Door(OLD, tmp_path, **clock.options())
    told(old, visit(1, "unsure"), visit(2))
    old.close()
    clock.now += 3 * 86400
    new = Door(NEW, tmp_path, **clock.options())
    assert (counts(new), new.now.since) == ((0, 0, 0, 0), clock.now)
    said = new.report()["said"]
    assert said.startswith(
        "faces of 2, here since 2026-05-31 for 0 h: no visit counted yet; before, faces of 1: 2 people: 50 % "
    )
    assert new.report()["before"]["people"] == 2
    new.close()
    back = Door(OLD, tmp_path, **clock.options())
    assert (counts(back), back.now.since, back.before) == ((2, 1, 0, 0), NOW, None), "what was taken back says nothing"


def test_a_clock_that_is_not_set_dates_nothing(tmp_path, clock):
    clock.right = False
    found = Door(OLD, tmp_path, **clock.options())
    assert found.report()["said"] == "faces of 1, here for 0 h: no visit counted yet"
    clock.now += 5 * 3600
    assert found.report()["said"] == "faces of 1, here for 5 h: no visit counted yet"
    clock.right = True
    told(found)
    found.close()
    again = Door(OLD, tmp_path, **clock.options())
    assert (again.now.since, again.now.seconds) == (clock.now, 5 * 3600)


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{cut",
        "[3]",
        '[{"people": 3}]',
        '[{"bundle": "a", "name": "x", "since": 1e400}]',
        '[{"bundle": "a", "name": "x", "seconds": 1e300}]',
        '[{"bundle": "a", "name": "x", "people": -1}]',
        "[" * 9000,
        "9" * 9000,
    ],
)
def test_a_damaged_file_costs_the_counts_and_not_the_camera(tmp_path, clock, caplog, damaged):
    (tmp_path / door.FILE).write_text(damaged)
    assert counts(Door(OLD, tmp_path, **clock.options())) == (0, 0, 0, 0)
    assert "the counts of this door begin anew" in caplog.text
    assert counts(Door(OLD, tmp_path, **clock.options())) == (0, 0, 0, 0)


def test_a_folder_that_cannot_be_written_costs_the_counts_and_not_the_camera(tmp_path, clock, caplog):
    (tmp_path / "file").write_text("")
    found = Door(OLD, tmp_path / "file", **clock.options())
    told(found, visit(1))
    found.close()
    assert "is not written" in caplog.text
