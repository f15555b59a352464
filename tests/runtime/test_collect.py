"""Collecting for the door's own data set: off by default, visible, bounded, one face per picture, never sent."""

import json
import os
import stat
import threading
from contextlib import ExitStack

import cv2
import numpy as np
import pytest

from edge.assemble.collect import collecting
from edge.config import settings as defaults
from edge.config.settings import Settings
from edge.core.errors import SinkError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Frame, Observation, Track
from edge.evaluation import formats
from edge.runtime import collect, collected
from edge.runtime.collect import Collector, Doubts
from edge.runtime.collected import DAY, Find, Folder
from edge.sinks.buttons import Button
from edge.testing.defaults import with_defaults

Collector = with_defaults(Collector, defaults.Collect())
Doubts = with_defaults(Doubts, defaults.Collect())
Folder = with_defaults(Folder, defaults.Collect())

NOW = 1_780_000_000.0
FACE, OTHER = Box(100, 60, 180, 150), Box(420, 60, 500, 150)
NOISE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (240, 640, 3), dtype=np.uint8), (0, 0), 1)


def seen(t, *people, clear=True):
    """A frame with (number, mask) of each person, the first at FACE, the second at OTHER."""
    tracks = [Track(k, box, t, 20) for (k, _), box in zip(people, (FACE, OTHER), strict=False)]
    decisions = [Decision(k, mask, 0.6, 0.0) for k, mask in people]
    return Observation(Frame(0, t, NOISE), tracks, decisions, clear=clear, min_face=20)


def found(t=2.0, track=1, why="unsure", *others):
    observation = seen(t, (track, Mask.UNSURE), *others)
    return Find(observation, observation.tracks[0], "unsure", 0.6, why)


def whys(doubts, *observations):
    return [one.why for observation in observations for one in doubts.of(observation)]


def test_only_doubts_are_chosen_each_once():
    doubts = Doubts(["unsure", "changed", "wrong"], 0.0)
    sure = [seen(t, (1, Mask.ON)) for t in (0.1, 2.0, 3.0)]
    assert whys(doubts, *sure) == []
    assert whys(doubts, seen(1.0, (2, Mask.UNSURE))) == [], "a person who has only just come is no doubt yet"
    assert whys(doubts, seen(4.0, (2, Mask.UNSURE)), seen(5.0, (2, Mask.UNSURE))) == ["unsure"]
    assert whys(doubts, seen(6.0, (1, Mask.UNSURE)), seen(7.0, (1, Mask.ON))) == ["unsure"]
    assert whys(doubts, seen(8.0, (1, Mask.OFF)), seen(9.0, (1, Mask.OFF))) == ["changed"]
    assert whys(doubts, seen(10.0, (3, Mask.UNSURE), clear=False)) == []
    many = [seen(20.0 + t, (1, (Mask.ON, Mask.OFF)[t % 2])) for t in range(9)]
    assert len(whys(doubts, *many)) == collect.PER_PERSON - 2, "one person fills no card"


def test_some_of_all_are_a_sample_and_never_twice():
    doubts = Doubts(["sample"], 0.0, sample=3)
    people = [seen(2.0 + k, (k, Mask.ON)) for k in range(1, 8)]
    assert [one.track.id for p in people for one in doubts.of(p)] == [3, 6]
    assert whys(doubts, seen(20.0, (6, Mask.ON))) == []


def test_what_comes_too_soon_and_faces_too_small_are_left_out():
    doubts = Doubts(["unsure"], 10.0)
    assert whys(doubts, seen(2.0, (1, Mask.UNSURE)), seen(9.0, (2, Mask.UNSURE)), seen(13.0, (3, Mask.UNSURE))) == [
        "unsure",
        "unsure",
    ]
    small = seen(30.0, (4, Mask.UNSURE))
    assert whys(doubts, Observation(small.frame, small.tracks, small.decisions, min_face=200)) == []
    assert whys(Doubts(["changed"], 0.0), seen(2.0, (1, Mask.UNSURE))) == []


def test_a_picture_is_one_face_and_a_data_set_at_once(tmp_path):
    folder = Folder(tmp_path / "stick", wall=lambda: NOW)
    folder.add(found(2.0, 7))
    folder.add(found(3.0, 8, "wrong"))
    content = json.loads((tmp_path / "stick" / "coco.json").read_text())
    first, second = content["images"]
    assert (first["why"], second["why"], len({first["cluster"], second["cluster"]})) == ("unsure", "wrong", 2)
    path = tmp_path / "stick" / "images" / first["file_name"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cv2.imread(str(path)).shape[:2] == (first["height"], first["width"])
    assert first["width"] < 300, "a face with its surroundings, not the frame"
    annotation = content["annotations"][0]
    assert (annotation["said"], annotation["confidence"], annotation["iscrowd"]) == ("unsure", 0.6, 0)
    pictures = formats.read(tmp_path / "stick")
    assert [p.categories.tolist() for p in pictures] == [[collected.UNLABELLED]] * 2
    x0, y0, x1, y1 = pictures[0].boxes[0]
    left, top = (
        FACE.square(collected.SURROUNDINGS).clipped(640, 240).x0,
        FACE.square(collected.SURROUNDINGS).clipped(640, 240).y0,
    )
    assert (x0 + int(left), y0 + int(top), x1 - x0, y1 - y0) == pytest.approx((100, 60, 80, 90), abs=1)


def sharp(image, box):
    part = image[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].astype(float)
    return float(cv2.Laplacian(part.mean(axis=2), cv2.CV_64F).std())


def test_other_faces_cannot_be_known_and_are_not_learnt_from(tmp_path):
    folder = Folder(tmp_path, "frame", wall=lambda: NOW)
    folder.add(found(2.0, 1, "unsure", (2, Mask.ON)))
    (picture,) = formats.read(tmp_path)
    assert picture.ignored.tolist() == [False, True]
    image = cv2.imread(str(picture.path))
    assert image.shape == NOISE.shape
    assert sharp(image, OTHER) < 0.2 * sharp(image, FACE)
    near = Box(150, 60, 230, 150)
    observation = seen(2.0, (1, Mask.UNSURE), (2, Mask.ON))
    tracks = [observation.tracks[0], Track(2, near, 2.0, 20)]
    close = Observation(observation.frame, tracks, observation.decisions)
    image, boxes = collected.cut(Find(close, tracks[0], "unsure", 0.5, "unsure"), whole=False)
    assert len(boxes) == 2
    assert sharp(image, boxes[1]) < 3, "a face that covers the other one is blurred all the same"


def test_number_bytes_and_days_are_bounds_and_labels_are_not_thrown_away(tmp_path):
    now = [NOW]
    folder = Folder(tmp_path, most=3, keep_days=2, wall=lambda: now[0])
    for k in range(3):
        folder.add(found(2.0 + k, k))
        now[0] += 60
    content = json.loads((tmp_path / "coco.json").read_text())
    content["annotations"][0]["category_id"] = 1  # somebody labels the oldest one on the stick
    (tmp_path / "coco.json").write_text(json.dumps(content))
    folder.add(found(9.0, 9))
    left = [image["id"] for image in json.loads((tmp_path / "coco.json").read_text())["images"]]
    assert left == [1, 3, 4]
    assert len(list((tmp_path / "images").iterdir())) == 3
    assert len(formats.read(tmp_path)) == 3
    now[0] += 3 * DAY
    folder.expire()
    assert folder.pictures == 0, "after these days every picture goes"
    assert list((tmp_path / "images").iterdir()) == []
    size = 40_000
    small = Folder(tmp_path / "small", max_bytes=2 * size, wall=lambda: now[0])
    for k in range(6):
        small.add(found(2.0 + k, k))
        now[0] += 1
    used = sum(p.stat().st_size for p in (tmp_path / "small" / "images").iterdir())
    assert 0 < small.pictures < 6
    assert used <= 2 * size


def test_days_are_not_counted_by_a_clock_that_is_not_set(tmp_path):
    now, right = [NOW], [True]
    folder = Folder(tmp_path, keep_days=2, clock_set=lambda: right[0], wall=lambda: now[0])
    folder.add(found())
    now[0], right[0] = NOW + 1000 * DAY, False
    folder.expire()
    assert folder.pictures == 1


def test_what_somebody_says_is_wrong_is_kept_at_once_and_the_writer_never_holds_up_a_frame(tmp_path, caplog):
    collector = Collector(Folder(tmp_path, wall=lambda: NOW), ["wrong"], 10.0)
    assert "pictures of people are kept in" in caplog.text
    collector.wrong()  # before the first frame there is nothing to say it of
    collector.see(seen(2.0, (1, Mask.ON), (2, Mask.OFF)))
    collector.wrong()
    collector.close()
    assert collector.report() == {"folder": str(tmp_path), "pictures": 2, "button": "", "problem": ""}
    said = [a["said"] for a in json.loads((tmp_path / "coco.json").read_text())["annotations"] if not a["iscrowd"]]
    assert said == ["on", "off"]


def test_the_button_says_what_the_page_says(tmp_path):
    button = Button(23, driver="mock")
    collector = Collector(Folder(tmp_path, wall=lambda: NOW), ["wrong"], 10.0, button=button)
    collector.see(seen(2.0, (1, Mask.ON)))
    collector.listen()
    button._contact.press()
    collector.listen()
    collector.listen()
    collector.listen(said=True)
    button.problem = "button GPIO23: the pin is gone"
    collector.close()
    assert [i["why"] for i in json.loads((tmp_path / "coco.json").read_text())["images"]] == ["wrong", "wrong"]
    report = collector.report()
    assert (report["button"], report["problem"]) == ("button GPIO23 (mock, no pin)", button.problem)


def test_the_settings_name_the_button_and_a_press_that_would_do_nothing_is_refused(tmp_path):
    settings = Settings.model_validate({"collect": {"path": str(tmp_path), "button_pin": 23, "button_driver": "mock"}})
    with ExitStack() as stack:
        collector = collecting(settings, stack)
        contact = collector.button._contact
        assert collector.report()["button"] == "button GPIO23 (mock, no pin)"
    assert contact.closed
    with pytest.raises(ValueError, match=r"reasons = \['unsure'\] must hold 'wrong' where button_pin is set"):
        Settings.model_validate({"collect": {"button_pin": "J8:16", "reasons": ["unsure"]}})


def test_a_damaged_list_is_left_alone(tmp_path):
    (tmp_path / "coco.json").write_text("{cut")
    with pytest.raises(SinkError, match=r"cannot be read .*: move it away, nothing is collected"):
        Folder(tmp_path).add(found())
    assert (tmp_path / "coco.json").read_text() == "{cut"


def test_it_is_off_by_default_and_a_browser_cannot_turn_it_on(tmp_path):
    from edge.web.editor import FILES_ONLY

    assert Settings().collect is None
    assert ("collect",) in FILES_ONLY


def test_a_folder_that_cannot_be_used_costs_the_pictures_and_not_the_camera(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    settings = Settings.model_validate({"collect": {"path": str(tmp_path / "file" / "x")}})
    with ExitStack() as stack:
        assert collecting(settings, stack) is None
    assert "the camera runs without" in caplog.text


def test_the_light_flashes_twice_while_pictures_are_collected():
    from edge.assemble import sink
    from edge.assemble.sinks import own
    from edge.sinks.patterns import COLLECTING, LIGHT

    settings = Settings.model_validate({"collect": {}, "sinks": {"gpio": {"driver": "mock", "heartbeat": False}}})
    assert own("gpio", settings.sinks.gpio, settings) == {"collecting": True}
    light = sink("gpio", settings.sinks.gpio, False, **own("gpio", settings.sinks.gpio, settings))
    assert light._patterns["ok"] == COLLECTING != LIGHT["ok"]
    light.close()


def labelled(folder, change):
    """The list as another program leaves it."""
    path = folder / "coco.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path.read_text()


def test_a_program_that_labels_may_leave_our_own_fields_out(tmp_path):
    folder = Folder(tmp_path, wall=lambda: NOW)
    folder.add(found())

    def bare(content):
        for image in content["images"]:
            for key in ("taken", "why", "source", "cluster"):
                del image[key]
        for annotation in content["annotations"]:
            del annotation["iscrowd"]
            annotation["category_id"], annotation["id"] = 2, "a1"

    labelled(tmp_path, bare)
    folder.add(found())
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [i["id"] for i in content["images"]] == [1, 2]
    assert [a["category_id"] for a in content["annotations"]] == [2, collected.UNLABELLED]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["categories"].pop(), "categories are others than"),
        (lambda c: c["categories"][3].update(id=0), "categories are others than"),
        (lambda c: c["images"][0].pop("file_name"), "expected a list 'images' with id and file_name"),
        (lambda c: c["images"].append(7), "expected a list 'images'"),
        (lambda c: c["images"][0].update(file_name=[]), "name or number of a picture is none"),
        (lambda c: c.update(annotations={}), "expected a list 'annotations'"),
    ],
)
def test_nothing_is_added_to_a_list_that_means_something_else(tmp_path, change, said):
    folder = Folder(tmp_path, wall=lambda: NOW)
    folder.add(found())
    before = labelled(tmp_path, change)
    with pytest.raises(SinkError, match=said):
        folder.add(found())
    assert (tmp_path / "coco.json").read_text() == before


@pytest.mark.fault(
    "the disk fills between picture and list", "ENOSPC at the list", "no picture stays unnamed", "next find"
)
def test_a_full_disk_leaves_no_picture_that_no_list_names(tmp_path, monkeypatch):
    folder, write = Folder(tmp_path, wall=lambda: NOW), collected.write

    def full(path, *content, **options):
        if path.name == "coco.json":
            raise OSError(28, "No space left on device")
        write(path, *content, **options)

    monkeypatch.setattr(collected, "write", full)
    with pytest.raises(SinkError, match="No space left"):
        folder.add(found())
    assert list((tmp_path / "images").iterdir()) == []


def test_what_a_power_cut_left_unnamed_goes_when_its_days_are_over(tmp_path):
    now = [NOW]
    folder = Folder(tmp_path, keep_days=2, clock_set=lambda: True, wall=lambda: now[0])
    folder.add(found())
    images = tmp_path / "images"
    (named,) = images.iterdir()
    unnamed = images / "20260101T000000-unsure-7.jpg", images / ".20260101T000000-unsure-8.77.78.part.jpg"
    mine = images / "door.jpg"
    for path in (*unnamed, mine):
        path.touch()
        os.utime(path, (NOW, NOW))
    now[0] = NOW + DAY
    folder.expire()
    assert {*images.iterdir()} == {named, mine, *unnamed}
    now[0] = NOW + 3 * DAY
    folder.expire()
    assert list(images.iterdir()) == [mine]


@pytest.mark.fault("a picture that cannot be kept", "an error nobody foresaw", "said, and in status.json", "next find")
def test_one_picture_that_cannot_be_kept_is_not_the_last(tmp_path, monkeypatch, caplog):
    collector = Collector(Folder(tmp_path, wall=lambda: NOW), ["wrong"], 10.0)
    add, failed = collector.folder.add, []

    def once(find):
        if not failed:
            failed.append(find)
            raise KeyError("nobody foresaw it")
        add(find)

    monkeypatch.setattr(collector.folder, "add", once)
    collector.see(seen(2.0, (1, Mask.ON)))
    collector.wrong()
    collector.wrong()
    collector.close()
    assert "collect: KeyError: 'nobody foresaw it'" in caplog.text
    assert collector.report() == {"folder": str(tmp_path), "pictures": 1, "button": "", "problem": ""}


@pytest.mark.fault("a card takes no picture any more", "a write that hangs", "said", "the run ends all the same")
def test_a_card_that_hangs_does_not_keep_the_run_from_ending(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(collect, "PATIENCE", 0.05)
    released = threading.Event()
    collector = Collector(Folder(tmp_path, wall=lambda: NOW), ["wrong"], 10.0)
    monkeypatch.setattr(collector.folder, "add", lambda find: released.wait(60))
    collector.see(seen(2.0, (1, Mask.ON)))
    for _ in range(20):
        collector.wrong()
    collector.close()
    assert "does not take the last pictures" in caplog.text
    released.set()
    collector._thread.join(60)


def test_the_age_of_a_picture_counts_from_when_the_clock_is_right(tmp_path):
    """A board that starts in the past; then one whose clock ran ahead."""
    now, right = [NOW - 300 * DAY], [False]
    folder = Folder(tmp_path, most=2, keep_days=2, clock_set=lambda: right[0], wall=lambda: now[0])
    folder.add(found())
    now[0], right[0] = NOW, True
    folder.expire()
    assert folder.pictures == 1
    now[0] = NOW + 400 * DAY
    folder.add(found())
    now[0] = NOW + DAY
    folder.add(found())
    folder.add(found())
    assert [i["id"] for i in folder._read()[0]["images"]] == [3, 4], "the newest stay, whatever they were stamped with"
    now[0] = NOW + 4 * DAY
    folder.expire()
    assert folder.pictures == 0


def turn_is_taken(folder):
    """Whether a labelling page that wants to write now would have to wait."""
    fcntl = pytest.importorskip("fcntl", reason="Windows locks no folder")
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


@pytest.mark.fault(
    "a label is written while the camera writes", "the same list, the same instant", "both are there", "at once"
)
@pytest.mark.parametrize("patient", [True, False])
def test_what_somebody_labels_in_the_instant_in_which_a_picture_is_added_stays(tmp_path, monkeypatch, patient):
    """A labelling page waits its turn; a program that does not is read again."""
    folder, write, taken = Folder(tmp_path, wall=lambda: NOW), collected.write, []
    folder.add(found())

    def meanwhile(path, *content, **options):
        write(path, *content, **options)
        taken.append(turn_is_taken(tmp_path))
        if path.suffix == ".jpg" and len(taken) == 1 and not patient:
            labelled = json.loads((tmp_path / "coco.json").read_text())
            labelled["annotations"][0]["category_id"] = 1
            write(tmp_path / "coco.json", json.dumps(labelled))

    monkeypatch.setattr(collected, "write", meanwhile)
    folder.add(found(9.0, 4))
    assert all(taken)
    assert not turn_is_taken(tmp_path)
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [a["category_id"] for a in content["annotations"]] == [4 if patient else 1, 4]
    assert {i["file_name"] for i in content["images"]} == {p.name for p in (tmp_path / "images").iterdir()}
    assert len(content["images"]) == 2


def test_a_picture_that_somebody_labels_while_room_is_made_stays(tmp_path, monkeypatch):
    folder = Folder(tmp_path, most=1, wall=lambda: NOW)
    folder.add(found())
    surplus = collected.Limits.surplus

    def meanwhile(self, *given, **more):
        monkeypatch.setattr(collected.Limits, "surplus", surplus)
        labelled = json.loads((tmp_path / "coco.json").read_text())
        labelled["annotations"][0]["category_id"] = 1
        collected.write(tmp_path / "coco.json", json.dumps(labelled))
        return surplus(self, *given, **more)

    monkeypatch.setattr(collected.Limits, "surplus", meanwhile)
    folder.add(found(9.0, 4))
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [a["category_id"] for a in content["annotations"]] == [1]
    assert [p.name for p in (tmp_path / "images").iterdir()] == [content["images"][0]["file_name"]]


def test_a_list_that_others_write_all_the_time_costs_the_picture_and_says_so(tmp_path, monkeypatch):
    folder, write = Folder(tmp_path, wall=lambda: NOW), collected.write

    def meanwhile(path, *content, **options):
        write(path, *content, **options)
        write(tmp_path / "coco.json", json.dumps(folder._read()[0]))

    monkeypatch.setattr(collected, "write", meanwhile)
    with pytest.raises(SinkError, match=r"coco\.json' is written by another program all the time: a picture is lost"):
        folder.add(found())
    assert list((tmp_path / "images").iterdir()) == []
