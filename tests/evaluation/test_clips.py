"""People, not frames: alarms of a scripted run against labelled people."""

import json

import numpy as np
import pytest

from edge import cli
from edge.core.errors import CameraError, DataError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Frame, Observation, Track
from edge.evaluation import clips

BLACK = np.zeros((2, 2, 3), np.uint8)
LEFT, RIGHT = Box(0, 0, 20, 20), Box(100, 0, 120, 20)


def person(outcome, box=LEFT, start=1.0, end=3.0, name="a"):
    return clips.Person(name, outcome, [(start, box), (end, box)])


def play(people, script):
    """`script`: rows of t, whether the alert stands, and (track, box, mask) of each track."""
    scorer = clips.ClipScorer(people)
    for i, (t, alert, tracks) in enumerate(script):
        seen = [Track(id, box, 0.0, 5) for id, box, _ in tracks]
        decisions = [Decision(id, mask, 0.9, 0.0) for id, _, mask in tracks]
        scorer.add(Observation(Frame(i, t, BLACK), seen, decisions), alert)
    return scorer.result()


def test_a_bare_person_is_alarmed_rightly_after_the_seconds_it_took():
    result = play([person("off")], [(1.0, False, [(7, LEFT, Mask.OFF)]), (2.5, True, [(7, LEFT, Mask.OFF)])])
    assert (result["alarmed_rightly"], result["missed"], result["seconds_to_alarm"]) == (1, [], 1.5)
    assert (result["alarmed_falsely"], result["things_alarmed"]) == ([], [])


def test_who_is_not_alarmed_or_never_found_is_missed():
    result = play([person("incorrectly_worn", name="low"), person("off", RIGHT, name="far")], [(1.5, False, [])])
    assert (result["missed"], result["found"], result["seconds_to_alarm"]) == (["low", "far"], 0, None)


def test_an_alarm_about_a_masked_person_and_one_about_a_thing_are_false():
    wheel = Box(300, 300, 340, 340)
    row = [(1, LEFT, Mask.OFF), (2, wheel, Mask.OFF), (3, RIGHT, Mask.ON)]
    result = play([person("on"), person("on", RIGHT, name="b")], [(1.5, True, row), (1.6, True, row)])
    assert (result["alarmed_falsely"], result["things_alarmed"]) == (["a"], ["1.5 s at 300, 300, 340, 340"])


def test_without_the_alert_nobody_is_alarmed_and_unsure_counts_neither_way():
    assert play([person("on")], [(1.5, False, [(1, LEFT, Mask.OFF)])])["alarmed_falsely"] == []
    result = play([person("unsure")], [(1.5, True, [(1, LEFT, Mask.OFF)])])
    assert (result["to_alarm"], result["alarmed_falsely"], result["things_alarmed"]) == (0, [], [])


def test_an_alert_is_about_those_whose_decision_supports_it():
    scorer = clips.ClipScorer([person("on")])
    seen, decided = [Track(1, LEFT, 0.0, 5)], [Decision(1, Mask.OFF, 0.9, 0.0, face=0.3)]
    scorer.add(Observation(Frame(0, 1.5, BLACK), seen, decided), True, lambda decision: decision.face > 0.5)
    assert scorer.result()["alarmed_falsely"] == []


def test_several_clips_as_one():
    alarmed = [(1.0, False, [(7, LEFT, Mask.OFF)]), (2.5, True, [(7, LEFT, Mask.OFF)])]
    parts = [("a.jpg", play([person("off")], alarmed)), ("b.jpg", play([person("off", name="Ada")], []))]
    total = clips.merged(parts)
    assert (total["people"], total["alarmed_rightly"], total["seconds_to_alarm"]) == (2, 1, 1.5)
    assert total["missed"] == ["b.jpg: Ada"]
    assert clips.merged(parts[1:])["seconds_to_alarm"] is None


def test_a_track_remains_its_person_s_when_the_labels_end():
    script = [(2.9, False, [(1, LEFT, Mask.OFF)]), (3.4, True, [(1, LEFT, Mask.OFF)])]
    assert play([person("on")], script)["things_alarmed"] == []


def test_a_new_number_for_the_same_person_is_a_switch():
    script = [(1.0 + 0.1 * i, False, [(id, LEFT, Mask.ON)]) for i, id in enumerate([1, 1, 2, 2, 1])]
    assert play([person("on")], script)["ids_switched"] == 2


def test_a_poster_that_a_person_walks_past_is_a_thing_and_none_of_their_tracks():
    poster = Box(50, 0, 70, 20)
    walks = clips.Person("a", "on", [(0.0, LEFT), (2.0, RIGHT)])
    script = [
        (t, t > 1.5, [(1, walks.at(t), Mask.ON), (2, poster, Mask.OFF)]) for t in np.arange(0.0, 2.01, 0.1).round(1)
    ]
    script[10] = (1.0, False, [(2, poster, Mask.OFF)])  # here it hides them
    result = play([walks], script)
    assert (result["alarmed_falsely"], result["things_alarmed"]) == ([], ["1.6 s at 50, 0, 70, 20"])
    assert (result["found"], result["ids_switched"]) == (1, 0)


def test_alerts_are_counted_each_time_they_are_raised():
    script = [(1.0 + i / 10, alert, []) for i, alert in enumerate([False, True, True, False, True])]
    assert play([person("on")], script)["alerts"] == 2


def test_the_face_moves_between_two_labels_and_is_gone_where_they_are_far_apart():
    walks = clips.Person("a", "on", [(0.0, LEFT), (2.0, RIGHT), (9.0, LEFT)])
    assert walks.at(1.0) == Box(50, 0, 70, 20)
    assert (walks.at(2.0), walks.at(5.0), walks.at(9.0), walks.at(9.1)) == (RIGHT, None, LEFT, None)


GOOD = 'clip = "a.mp4"\n[[person]]\nname = "x"\noutcome = "off"\nboxes = [[0, 1, 2, 3, 4], [1.5, 1, 2, 3, 4]]\n'


def test_labels_are_read(tmp_path):
    (tmp_path / "a.toml").write_text(GOOD)
    labels = clips.read(tmp_path / "a.toml")
    assert labels.clip == tmp_path / "a.mp4"
    assert labels.people[0].boxes[1] == (1.5, Box(1, 2, 3, 4))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"off"', '"bare"', "outcome = 'bare': expected one of on, off"),
        ("clip =", "film =", "expected the name of the recording"),
        ('"a.mp4"', '"https://ada:s3cret@host/a.mp4"', "clip: https://... is an address: expected a file"),
        ("1.5,", "0,", "by time, each time once"),
        ("[0, 1, 2, 3, 4]", "[0, 1, 2]", "seconds, left, top, right, bottom"),
        ("[0, 1, 2, 3, 4]", "[0, 3, 2, 1, 4]", "left < right"),
        ("name =", "nom =", "unknown key 'nom'"),
        ("clip", "=", "not readable as TOML"),
        ("clip", "a = " + "[" * 5000 + "\nclip", "not readable as TOML"),
        ("clip", "a = " + "9" * 5000 + "\nclip", "not readable as TOML"),
        ("[0, 1, 2, 3, 4]", "[nan, 1, 2, 3, 4]", "finite numbers"),
        ("[0, 1, 2, 3, 4]", "[0, 1, 2, inf, 4]", "finite numbers"),
    ],
)
def test_a_mistake_in_the_labels_is_one_line(tmp_path, old, new, says):
    (tmp_path / "a.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(DataError, match=says) as raised:
        clips.read(tmp_path / "a.toml")
    assert "\n" not in str(raised.value)


def test_labels_may_have_any_name(tmp_path, capsys):
    for name in ("door.TOML", "door"):
        (tmp_path / name).write_text(GOOD)
        assert cli.main(["clips", str(tmp_path / name)]) == 2
        assert "skipped: " in capsys.readouterr().err  # read, and its recording is not there


def test_the_table_names_who_went_wrong():
    results = {"door.toml": play([person("off", name="Ada")], [])}
    lines = clips.table(results).splitlines()
    assert lines[1].split() == ["door.toml", "1", "0", "1", "0", "1", "0", "0", "0", "-", "0"]
    assert lines[2] == "  missed: Ada"
    crowd = clips.table({"door.toml": play([person("off", name=str(k)) for k in range(15)], [])}).splitlines()
    assert crowd[2].startswith("  missed: 0; 1; 2;")
    assert crowd[2].endswith("; 10; 11; and 3 more (--json names them)")
    wheel = [(1.5, True, [(1, Box(300, 300, 340, 340), Mask.OFF)])]
    lines = clips.table({"door.toml": play([person("on", name="Bo")], wheel)}).splitlines()
    assert lines[2:] == ["  things alarmed: 1.5 s at 300, 300, 340, 340"]


def test_a_recording_that_cannot_be_read_costs_the_others_nothing(tmp_path, monkeypatch, capsys):
    for name in "abc":
        (tmp_path / f"{name}.toml").write_text(GOOD.replace("a.mp4", f"{name}.mp4"))
    result = play([person("off", name="Ada")], [])

    def scored(args, clip, labels):
        if clip.name == "b.mp4":
            raise CameraError(f"{clip}: no such file or folder")
        return result, []

    monkeypatch.setattr("edge.cli.clips._play", scored)
    files = [str(tmp_path / f"{name}.toml") for name in "abc"]
    assert cli.main(["clips", *files, "--json"]) == 0
    said = capsys.readouterr()
    assert list(json.loads(said.out)) == [files[0], files[2]]
    assert (
        said.err == f"maskcam: skipped: {tmp_path}/b.mp4: no such file or folder\nmaskcam: skipped 1 of 3 recordings\n"
    )
    assert cli.main(["clips", files[1]]) == 2
