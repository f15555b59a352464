"""A camera that fails in every way, played in virtual time: the whole history of states is asserted, nothing sleeps."""

import threading
import time
from itertools import chain, islice

import numpy as np
import pytest

from edge.cameras.faults import fault
from edge.cameras.reconnecting import MOST_HANGING, ReconnectingCamera
from edge.config import settings as defaults
from edge.core.errors import CameraError, MissingPackage
from edge.core.records import Frame
from edge.testing.camera import Script, pictures, still
from edge.testing.defaults import with_defaults

ReconnectingCamera = with_defaults(ReconnectingCamera, defaults.Camera(), first_within=15.0)

PATIENCE = 60.0  # seconds until a test gives up on a thread that hangs
GREY = np.random.default_rng(1).integers(60, 200, (48, 64, 3), np.uint8)
BLACK = np.zeros((48, 64, 3), np.uint8)
UNPLUGGED = CameraError("camera '/dev/video0': unplugged")
MISSING = CameraError("camera '/dev/video0': does not exist")


def watched(script, seconds, timeout=1.0, **options):
    """Polls for so many seconds; returns camera, frames and the history: (time, state)."""
    history = []
    camera = script.camera(**options, on_state=lambda state: history.append((round(script.now, 3), state)))
    frames = []
    while script.now < seconds and camera.state != "ended":
        before = script.now
        frame = camera.poll(timeout)
        assert script.now - before <= timeout + 1e-9, "poll must let the caller breathe"
        if frame is not None:
            frames.append(frame)
    return camera, frames, history


def test_a_good_camera_is_simply_passed_on():
    camera, frames, history = watched(Script(pictures(10)), 3.05)
    assert history == [(0.1, "ok")]
    assert [f.index for f in frames] == list(range(31))
    assert [f.t for f in frames] == pytest.approx([i / 10 for i in range(31)])
    assert (camera.faults, camera.reopened) == (0, 0)


def test_its_states_stand_in_the_log_for_those_who_ask(caplog):
    with caplog.at_level("DEBUG", "edge.cameras.reconnecting"):
        watched(Script([(0.1, GREY), (0.1, UNPLUGGED)], pictures(10)), 1.0)
    assert caplog.messages == ["camera ok", f"camera lost: {UNPLUGGED}", "camera ok"]


@pytest.mark.fault("a camera is unplugged", "reads and openings that fail", "camera lost", "0.5 s after it is back")
def test_unplugged_and_plugged_in_again():
    script = Script([*pictures(10, 1), (0.1, UNPLUGGED)], MISSING, MISSING, pictures(10))
    camera, frames, history = watched(script, 8)
    assert history == [
        (0.1, "ok"),
        (1.1, "lost: camera '/dev/video0': unplugged"),
        (1.6, "lost: camera '/dev/video0': does not exist"),
        (4.7, "ok"),
    ]
    assert script.opened == pytest.approx([0, 1.6, 2.6, 4.6])
    assert camera.reopened == 3
    gaps = np.diff([f.t for f in frames])
    assert gaps == pytest.approx([0.1] * 9 + [3.7] + [0.1] * (len(frames) - 11)), "time goes on over the loss"
    assert [f.index for f in frames] == list(range(len(frames)))


def test_attempts_grow_rarer_to_a_limit_and_never_cease():
    script = Script(MISSING)
    _, _, history = watched(script, 600)
    assert np.diff(script.opened[:9]) == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])
    assert script.now - script.opened[-1] <= 30
    assert history == [(0, "lost: camera '/dev/video0': does not exist")], "said once, not every 30 s"


def test_one_that_was_well_for_long_is_tried_soon_again_one_that_was_not_is_not():
    script = Script(*[[*pictures(10, 1), (0, UNPLUGGED)]] * 4, [*pictures(10, 40), (0, UNPLUGGED)])
    watched(script, 60)
    assert np.diff(script.opened[:6]) == pytest.approx([1.5, 2, 3, 5, 40.5])


@pytest.mark.fault("a frozen picture", "the same frame over and over", "camera lost after 10 s", "first changed frame")
def test_a_frozen_picture_is_a_lost_camera_and_stays_so_until_it_changes():
    frozen = chain(pictures(10, 2), still(10, GREY))
    script = Script(frozen, still(10, GREY), pictures(10))
    camera, frames, history = watched(script, 40)
    assert history == [
        (0.1, "ok"),
        (12.1, "lost: the picture has not changed for 10 s"),
        (28.7, "ok"),
    ]
    assert script.opened == pytest.approx([0, 12.6, 28.6])  # the second attempt has 15 s for a first new picture
    assert max(np.diff([f.t for f in frames])) == pytest.approx(28.7 - 12.1)
    assert camera.reopened == 2


def test_a_camera_that_repeats_pictures_now_and_then_is_well():
    doubled = ((0.1, image) for _, image in pictures(10) for image in [image] * 50)
    assert watched(Script(doubled), 60)[2] == [(0.1, "ok")]


def test_freezing_can_be_allowed():
    assert watched(Script(still(10, GREY)), 60, frozen_after=0.0)[2] == [(0.1, "ok")]


@pytest.mark.parametrize("frozen_after", [0.0, 10.0])
def test_a_picture_that_is_the_same_after_an_unplug_is_not_frozen(frozen_after):
    script = Script([*pictures(10, 1), (0.1, GREY), (0.1, UNPLUGGED)], chain([(0.1, GREY)], pictures(10)))
    history = watched(script, 20, frozen_after=frozen_after)[2]
    assert history == [(0.1, "ok"), (1.2, "lost: camera '/dev/video0': unplugged"), (1.8, "ok")]


def test_a_still_picture_may_come_back_where_freezing_is_allowed():
    script = Script([(0.1, GREY), (0.1, UNPLUGGED)], still(10, GREY))
    assert [state for _, state in watched(script, 60, frozen_after=0.0)[2]] == ["ok", f"lost: {UNPLUGGED}", "ok"]


def test_black_is_no_frozen_picture():
    for level, states in ((0, ["ok"]), (16, ["ok"]), (17, ["ok", "lost: the picture has not changed for 10 s"])):
        history = watched(Script(still(10, BLACK + np.uint8(level))), 60)[2]
        assert [state for _, state in history] == states


def test_silence_is_a_lost_camera():
    script = Script(pictures(10, 1), pictures(10, 1), pictures(10))
    _, _, history = watched(script, 14)
    assert history == [
        (0.1, "ok"),
        (6, "lost: no frame comes"),
        (6.6, "ok"),
        (12.5, "lost: no frame comes"),
        (13.6, "ok"),
    ]


def test_a_caller_that_takes_longer_than_a_loss_does_not_lose_the_camera():
    script = Script(pictures(10))
    camera = script.camera(lost_after=5.0, frozen_after=10.0)
    frames = [camera.poll(1.0) for _ in range(5) if not script.pass_time(20.0)]
    assert [frame.index for frame in frames] == list(range(5))
    assert (camera.state, camera.reopened) == ("ok", 0)


def test_a_frame_that_waits_at_the_very_end_of_patience_counts():
    script = Script([(0.5, GREY), (4.5, BLACK), (1.0, GREY)])
    camera = script.camera(lost_after=5.0, frozen_after=10.0)
    assert camera.poll(1.0).index == 0
    script.pass_time(5.0)
    assert camera.poll(1.0).index == 1
    assert (camera.state, camera.reopened) == ("ok", 0)


def test_a_caller_that_is_slow_learns_of_a_frozen_picture_and_of_silence():
    for steps, said in ((still(10, GREY), "has not changed for 10 s"), (pictures(10, 1), "no frame comes")):
        script = Script(steps)
        camera = script.camera(lost_after=5.0, frozen_after=10.0)
        while camera.state in ("starting", "ok"):
            camera.poll(1.0)
            script.pass_time(20.0)
            assert script.now < 400
        assert said in camera.state


def test_a_recording_that_ended_while_the_caller_was_busy_is_not_lost():
    script = Script([(0.1, GREY), (0.1, None)])
    camera = script.camera(reopen=False)
    assert camera.poll(1.0) is not None
    script.pass_time(20.0)
    assert camera.poll(1.0) is None
    assert camera.state == "ended"


def test_one_that_takes_long_to_open_is_waited_for():
    slow = chain([(12.0, GREY)], pictures(10))
    assert watched(Script(slow), 20)[2] == [(12.0, "ok")]


def test_one_frame_a_second_is_a_camera():
    camera, frames, history = watched(Script(pictures(1)), 60, timeout=0.25)
    assert history == [(1, "ok")]
    assert len(frames) == 60
    assert camera.reopened == 0


@pytest.mark.parametrize(
    ("garbage", "said"),
    [
        (np.zeros((48, 64), np.uint8), "frames are no pictures (uint8 (48, 64))"),
        (np.zeros((48, 64, 3), np.float32), "frames are no pictures (float32 (48, 64, 3))"),
        (np.zeros((0, 0, 3), np.uint8), "frames are no pictures (uint8 (0, 0, 3))"),
        (np.zeros((48, 64, 4), np.uint8), "frames are no pictures (uint8 (48, 64, 4))"),
        (np.zeros((96, 128, 3), np.uint8), "frames changed their size from 64x48 to 128x96"),
        ("noise", "frames are no pictures (str)"),
    ],
)
def test_garbage_is_left_out_and_too_much_of_it_is_a_lost_camera(garbage, said):
    some = [*pictures(10, 1), (0.1, garbage), *pictures(10, 1)]
    script = Script([*some, *islice(still(10, garbage), 100)], pictures(10))
    camera, frames, history = watched(script, 10)
    assert history == [(0.1, "ok"), (7.1, f"lost: {said}"), (7.7, "ok")]
    assert all(f.image.shape == (48, 64, 3) and f.image.dtype == np.uint8 for f in frames)
    assert camera.faults == 1 + 50


def test_a_camera_that_changes_its_size_for_good_is_well_after_a_new_opening():
    script = Script(chain(pictures(10, 1), pictures(10, width=128, height=96)), pictures(10, width=128, height=96))
    _, frames, history = watched(script, 10)
    assert [state for _, state in history] == ["ok", "lost: frames changed their size from 64x48 to 128x96", "ok"]
    assert frames[-1].image.shape == (96, 128, 3)


@pytest.mark.parametrize(
    "stamp",
    [
        lambda t: 1e9 if 1 < t < 2 else t,
        lambda t: t - 3600 if t > 1 else t,
        lambda t: t + 0.5,
        lambda t: -t,
        lambda t: float("nan"),
    ],
    ids=["future", "back", "ahead", "backwards", "nan"],
)
def test_a_clock_that_jumps_makes_no_jump_in_the_frames(stamp):
    _, frames, history = watched(Script(pictures(10), stamp=stamp), 4.05)
    assert history == [(0.1, "ok")]
    times = [f.t for f in frames]
    assert times == sorted(times)
    assert times == pytest.approx([i / 10 for i in range(41)], abs=1.0)


def test_a_stamp_of_the_arrival_is_kept_although_the_frame_waited():
    _, frames, _ = watched(Script(pictures(10), stamp=lambda t: t - 0.03), 1.05)
    assert frames[0].t == 0
    assert [f.t for f in frames] == pytest.approx([i / 10 for i in range(11)])


@pytest.mark.parametrize(
    "stamp", [lambda t: t - 0.05 * (round(10 * t) % 2), lambda t: round(5 * t - 0.25) / 5], ids=["uneven", "in pairs"]
)
def test_the_cameras_own_stamps_are_kept(stamp):
    _, frames, _ = watched(Script(pictures(10), stamp=stamp), 1.05)
    stamps = [stamp((i + 1) / 10) for i in range(11)]
    assert [f.t for f in frames] == pytest.approx([t - stamps[0] for t in stamps])


def test_frames_that_nobody_saw_are_counted_over_all_openings():
    script = Script([(1, GREY), (1, UNPLUGGED)])
    readers = []

    def start(open):
        readers.append(open())
        readers[-1].dropped = 3 + len(readers)
        return readers[-1]

    camera = ReconnectingCamera(script.open, start=start, clock=lambda: script.now, pause=script.pass_time)
    assert camera.dropped == 0
    counts = []
    while len(readers) < 3:
        camera.poll(0.5)
        counts.append(camera.dropped)
    assert sorted(set(counts)) == [4, 4 + 5, 4 + 5 + 6]
    assert counts == sorted(counts)


@pytest.mark.parametrize(("height", "width", "usable"), [(16, 16, True), (15, 40, False), (40, 15, False)])
def test_the_smallest_picture(height, width, usable):
    image = np.zeros((height, width, 3), np.uint8)
    assert fault(image, None) == ("" if usable else f"frames are no pictures (uint8 ({height}, {width}, 3))")
    assert fault(image, (height, width, 3)) == fault(image, None)


def test_an_error_of_the_driver_says_its_kind():
    script = Script([(0.1, RuntimeError("Camera frontend has timed out!"))], pictures(10))
    assert watched(script, 2)[2] == [(0.1, "lost: RuntimeError: Camera frontend has timed out!"), (0.7, "ok")]


def test_a_recording_that_ends_ends():
    camera, frames, history = watched(Script([*pictures(10, 1), (0.1, None)]), 60)
    assert history == [(0.1, "ok"), (1.1, "ended")]
    assert len(frames) == 10
    assert camera.poll(1.0) is None
    assert list(camera) == []


def test_iterating_gives_the_frames_alone():
    script = Script([*pictures(1, 3), (0, UNPLUGGED)], [*pictures(10, 1), (0, None)])
    assert [f.index for f in script.camera()] == list(range(13))


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        (MISSING, "camera '/dev/video0': does not exist"),
        ([*pictures(10, 1), (0.1, UNPLUGGED)], "unplugged"),
        (list(pictures(10, 1)), "no frame comes"),
    ],
)
def test_without_reopening_a_loss_is_an_error(opening, said):
    script = Script(opening)
    camera = script.camera(reopen=False)
    with pytest.raises(CameraError, match=said):
        list(camera)
    assert (camera.state, len(script.opened)) == ("ended", 1)


def test_what_is_not_installed_is_not_waited_for():
    camera = Script(MissingPackage("picamera2", remedy="sudo apt install python3-picamera2")).camera()
    with pytest.raises(MissingPackage, match="apt install"):
        camera.poll(1.0)
    assert camera.state == "ended"


def test_reads_that_never_return_are_bounded():
    script = Script(list(pictures(10, 1)))  # every opening gives a second of frames and hangs
    camera, _, history = watched(script, 300)
    assert len(script.opened) == MOST_HANGING
    assert history[-1][1] == "lost: 3 reads hang: unplug the camera or restart maskcam"
    assert camera.state == history[-1][1]


# With real threads; the clock is still the test's, and the threads are led by events.


class Stuck:
    """A camera that blocks while it is opened, or in the read after its first frame, until it is let go."""

    def __init__(self, shade):
        self.let_go, self.blocked, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.shade = shade

    def block(self):
        self.blocked.set()
        assert self.let_go.wait(PATIENCE)

    def __iter__(self):
        yield Frame(0, 0.0, GREY + self.shade)
        self.block()
        yield Frame(1, 0.0, GREY)

    def close(self):
        self.closed.set()


class Rig:
    """A ReconnectingCamera whose openings get stuck, and a clock that stands still until it is set."""

    def __init__(self, *while_opening):
        self.now, self.openings, self.kinds, self.begun = 0.0, [], while_opening, threading.Event()
        self.camera = ReconnectingCamera(self.open, clock=lambda: self.now, pause=lambda seconds: None)

    def open(self):
        opening = Stuck(len(self.openings) + 1)
        self.openings.append(opening)
        self.begun.set()
        if self.kinds[len(self.openings) - 1]:
            opening.block()
        return opening


@pytest.fixture
def rig():
    rigs = []

    def make(*while_opening):
        rigs.append(Rig(*while_opening))
        return rigs[0]

    yield make
    for opening in rigs[0].openings:
        opening.let_go.set()
    rigs[0].camera.close()


def test_a_read_that_blocks_is_left_behind_and_its_device_closed_when_it_returns(rig):
    rig = rig(False, False)
    assert rig.camera.poll(PATIENCE).image[0, 0, 0] == GREY[0, 0, 0] + 1
    first = rig.openings[0]
    assert first.blocked.wait(PATIENCE)
    assert rig.camera.poll(0) is None
    assert rig.camera.state == "ok"
    rig.now, start = 6.0, time.monotonic()
    assert rig.camera.poll(0) is None
    assert time.monotonic() - start < PATIENCE / 2, "nobody waits for a read that hangs"
    assert rig.camera.state == "lost: no frame comes"
    rig.now = 7.0
    frame = rig.camera.poll(PATIENCE)
    assert (frame.index, frame.t, rig.camera.state) == (1, 7.0, "ok")
    assert frame.image[0, 0, 0] == GREY[0, 0, 0] + 2
    assert not first.closed.is_set()
    first.let_go.set()
    assert first.closed.wait(PATIENCE)


def test_an_opening_that_blocks_does_not_hold_the_caller(rig):
    rig = rig(True, False)
    assert rig.camera.poll(0) is None
    assert rig.begun.wait(PATIENCE)
    assert rig.openings[0].blocked.wait(PATIENCE)
    assert rig.camera.state == "starting"
    rig.now = 15.0
    assert rig.camera.poll(0) is None
    assert rig.camera.state == "lost: no frame comes"
    rig.now = 16.0
    assert rig.camera.poll(PATIENCE).index == 0
    rig.openings[0].let_go.set()
    assert rig.openings[0].closed.wait(PATIENCE), "what opened too late is closed"


def test_closing_closes_the_camera(rig):
    rig = rig(False)
    rig.camera.poll(PATIENCE)
    rig.openings[0].let_go.set()
    rig.camera.close()
    assert rig.openings[0].closed.is_set()
    assert rig.camera.state == "ended"
    assert rig.camera.poll(PATIENCE) is None
