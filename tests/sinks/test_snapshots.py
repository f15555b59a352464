"""Snapshots: off unless asked for, faces unknowable, few, small, gone after some days."""

import os
import stat

import cv2
import numpy as np
import pytest

from edge.config import sink_sections
from edge.core.errors import SinkError
from edge.core.geometry import Box
from edge.core.records import Event, Frame, Observation, Origin, Stamp, Track
from edge.sinks.snapshots import DAY, Film, SnapshotSink
from edge.testing.defaults import with_defaults

SnapshotSink = with_defaults(SnapshotSink, sink_sections.Snapshots())

NOW = 1_780_000_000.0
FACE = Box(100, 60, 180, 150)


def told(number, t, kind="no_mask", wall=NOW):
    return Event(kind, t, stamp=Stamp(f"af-{number}", Origin("door"), wall + t))


def seen(t):
    """A frame of noise, in which every detail can be told again, with one face found."""
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    return Observation(Frame(0, t, cv2.GaussianBlur(image, (0, 0), 1)), [Track(1, FACE, 1.0, 5)], [])


class Stand:
    """A sink with what the loop keeps for it, and a clock."""

    def __init__(self, folder, **options):
        self.now, self.clock_set = NOW, True
        self.folder, self.film = folder / "snapshots", Film(["no_mask"])
        options = {"every": 0.0, "clock_set": lambda: self.clock_set, "wall": lambda: self.now} | options
        self.sink = SnapshotSink(self.folder, self.film, **options)

    def tell(self, number, t, kind="no_mask"):
        event = told(number, t, kind)
        self.film.keep(seen(t), [event])
        self.sink.send(event)
        for path in self.pictures():
            if f"-{number}.jpg" in path.name:
                os.utime(path, (NOW + t, NOW + t))

    def take(self, number):
        """A picture whose file bears the time of the clock, right or wrong."""
        self.film.keep(seen(float(number)), [event := told(number, float(number), wall=self.now)])
        self.sink.send(event)
        for path in self.folder.glob(f"*-{number}.jpg"):
            os.utime(path, (self.now + number, self.now + number))

    def numbers(self):
        return sorted(path.stem.rpartition("-")[2] for path in self.pictures())

    def pictures(self):
        return sorted(self.folder.glob("*.jpg"))


def detail(image, box):
    """How much can be told apart within the box."""
    part = image[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].astype(float)
    return float(cv2.Laplacian(part.mean(axis=2), cv2.CV_64F).std())


@pytest.mark.parametrize("blur", [True, False])
def test_a_face_cannot_be_known_again_unless_its_owner_says_so(tmp_path, blur):
    stand = Stand(tmp_path, blur=blur)
    stand.tell(1, 5.0)
    (path,) = stand.pictures()
    image = cv2.imread(str(path))
    elsewhere = Box(220, 60, 300, 150)
    assert detail(image, elsewhere) > 5
    assert (detail(image, FACE) < 0.2 * detail(image, elsewhere)) == blur
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(stand.folder.stat().st_mode) == 0o700
    assert b"Exif" not in path.read_bytes()


def test_only_what_was_asked_for_has_a_picture_and_it_is_of_that_very_frame(tmp_path):
    stand = Stand(tmp_path, width=160)
    stand.tell(1, 5.0, "decision")
    assert stand.pictures() == []
    stand.sink.send(told(2, 6.0))
    assert stand.pictures() == [], "a frame that nobody kept"
    stand.tell(3, 7.0)
    (path,) = stand.pictures()
    assert path.name.endswith("-no_mask-af-3.jpg")
    assert cv2.imread(str(path)).shape == (120, 160, 3)


def test_the_loop_keeps_no_more_than_a_few_frames():
    film = Film(["no_mask"], most=2)
    for t in (1.0, 2.0, 3.0):
        film.keep(seen(t), [told(1, t)])
    film.keep(seen(4.0), [told(2, 4.0, "decision")])
    assert [t for t in (1.0, 2.0, 3.0, 4.0) if film.at(t)] == [2.0, 3.0]


def test_pictures_are_few_apart_and_bounded(tmp_path):
    stand = Stand(tmp_path, most=3, every=10.0)
    for number in range(20):
        stand.tell(number, 5.0 * number)
    assert [path.stem.rpartition("-")[2] for path in stand.pictures()] == ["14", "16", "18"]


def test_all_of_them_stay_below_a_size(tmp_path):
    stand = Stand(tmp_path)
    stand.tell(0, 0.0)
    size = stand.pictures()[0].stat().st_size
    stand = Stand(tmp_path, max_bytes=int(2.5 * size))
    for number in range(1, 6):
        stand.tell(number, float(number))
    assert [path.stem.rpartition("-")[2] for path in stand.pictures()] == ["4", "5"]


def test_after_some_days_a_picture_goes_though_nobody_comes(tmp_path):
    stand = Stand(tmp_path, keep_days=7.0)
    stand.tell(1, 5.0)
    own = stand.folder / "door.jpg"
    own.touch()
    os.utime(own, (0, 0))
    stand.now = NOW + 6 * DAY
    assert stand.sink.advance(0.0) == 3600
    assert len(stand.pictures()) == 2
    stand.now, stand.clock_set = NOW + 8 * DAY, False
    stand.sink.advance(3600.0)
    assert len(stand.pictures()) == 2, "a clock that is not set takes nothing away"
    stand.clock_set = True
    stand.sink.advance(7199.0)
    assert len(stand.pictures()) == 2, "once an hour is enough"
    stand.sink.advance(7200.0)
    assert stand.pictures() == [own], "what is not ours stays"


@pytest.mark.fault("the clock is set", "pictures of the past, of the future", "their age counts from then", "at once")
def test_the_age_of_a_picture_counts_from_when_the_clock_is_right(tmp_path):
    """A board that starts in the past; then one whose clock ran ahead."""
    stand = Stand(tmp_path, keep_days=7.0, most=3)
    stand.now = NOW - 300 * DAY
    stand.clock_set = False
    stand.take(1)
    stand.now, stand.clock_set = NOW, True
    stand.sink.advance(3600.0)
    assert stand.numbers() == ["1"]
    stand.now = NOW + 3 * DAY  # the clock runs ahead, and is set back
    stand.take(2)
    stand.now = NOW + DAY
    for number in (3, 4, 5):
        stand.take(number)
    assert stand.numbers() == ["3", "4", "5"], "the newest stay, whatever they were stamped with"
    stand.clock_set, stand.now = False, NOW - DAY  # a start in the past, with a full folder
    stand.take(6)
    stand.take(7)
    assert stand.numbers() == ["5", "6", "7"]


def test_what_a_power_cut_left_half_goes_and_a_full_disk_is_said(tmp_path, monkeypatch):
    stand = Stand(tmp_path)
    half = stand.folder / ".20260101T000000-no_mask-af-1.77.part.jpg"
    half.write_bytes(b"\xff\xd8")
    (stand.folder / ".mine.part.jpg").touch()
    assert [path.name for path in Stand(tmp_path).folder.iterdir()] == [".mine.part.jpg"]

    def full(*ignored, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.sinks.snapshots.write", full)
    with pytest.raises(SinkError, match="No space left"):
        stand.tell(1, 5.0)
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="no folder"):
        SnapshotSink(tmp_path / "file", stand.film)
