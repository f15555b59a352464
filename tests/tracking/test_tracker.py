"""People followed frame by frame, at 10 frames a second unless said otherwise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import settings as defaults
from edge.core.geometry import Box
from edge.core.records import Face
from edge.testing.defaults import with_defaults
from edge.tracking.tracker import GreedyTracker

GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())


def face(x: float, y: float = 100.0, size: float = 40.0, score: float = 0.9) -> Face:
    """A square face centred at (x, y)."""
    return Face(Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2), score)


def ids(tracks) -> list[int]:
    return [t.id for t in tracks]


def where(tracks) -> dict[int, float]:
    return {t.id: t.box.centre[0] for t in tracks}


def test_first_faces_are_numbered_from_one():
    tracks = GreedyTracker().update([face(100), face(300)], 0.0)
    assert ids(tracks) == [1, 2]
    assert [(t.age, t.hits) for t in tracks] == [(0.0, 1), (0.0, 1)]


def test_a_walker_keeps_the_number_and_grows_older():
    tracker = GreedyTracker()
    for i in range(11):
        tracks = tracker.update([face(100 + 10 * i)], 5 + i / 10)
    assert ids(tracks) == [1]
    assert tracks[0].hits == 11
    assert abs(tracks[0].age - 1.0) < 1e-9
    assert tracks[0].box == face(200).box


def test_two_who_cross_keep_their_numbers():
    tracker = GreedyTracker()
    for i in range(41):
        left, right = face(100 + 8 * i, y=95), face(420 - 8 * i, y=105)
        tracks = tracker.update([left, right] if i % 2 else [right, left], i / 20)
    assert where(tracks) == {1: 100, 2: 420}  # number 1 was listed first, came from the right and walked left


def test_a_short_occlusion_is_bridged_by_the_prediction():
    """Unseen for 0.4 s at 200 px/s: the face reappears two widths further."""
    tracker = GreedyTracker()
    for i in range(10):
        tracker.update([face(100 + 20 * i)], i / 10)
    for i in range(10, 13):
        assert tracker.update([], i / 10) == []
    assert ids(tracker.update([face(100 + 20 * 13)], 1.3)) == [1]


def test_a_person_unseen_for_longer_than_max_gap_is_new():
    tracker = GreedyTracker(max_gap=0.5)
    tracker.update([face(100)], 0.0)
    assert ids(tracker.update([face(100)], 0.5)) == [1]
    assert ids(tracker.update([face(100)], 1.01)) == [2]


def test_a_jump_is_another_person_and_the_first_may_return():
    tracker = GreedyTracker()
    tracker.update([face(100)], 0.0)
    assert ids(tracker.update([face(400)], 0.1)) == [2]
    assert ids(tracker.update([face(100), face(400)], 0.2)) == [1, 2]


def test_two_detections_on_one_person_are_one_track():
    tracker = GreedyTracker()
    doubled = [face(100, score=0.9), face(104, y=102, size=34, score=0.6)]
    assert ids(tracker.update(doubled, 0.0)) == [1]
    assert ids(tracker.update(doubled, 0.1)) == [1]
    assert ids(tracker.update([face(100), face(122)], 0.2)) == [1, 2]  # half covered is a neighbour


def test_of_two_who_could_be_meant_the_nearer_one_is():
    tracker = GreedyTracker()
    tracker.update([face(100), face(120)], 0.0)
    assert ids(tracker.update([face(103)], 0.1)) == [1]


def test_a_face_that_comes_closer_keeps_the_number():
    tracker = GreedyTracker()
    for i in range(20):
        tracks = tracker.update([face(200 + i, size=30 * 1.1**i)], i / 10)
    assert ids(tracks) == [1]


def test_every_number_is_given_once_even_after_everyone_left():
    tracker = GreedyTracker(max_gap=0.1)
    assert [ids(tracker.update([face(100)], 10.0 * i)) for i in range(3)] == [[1], [2], [3]]


boxes = st.builds(
    lambda x, y, w, h, s: Face(Box(x, y, x + w, y + h), s),
    st.floats(0, 600),
    st.floats(0, 400),
    st.floats(1, 120),
    st.floats(1, 120),
    st.floats(0.1, 1),
)
films = st.lists(st.tuples(st.lists(boxes, max_size=5), st.floats(0.0, 1.5)), max_size=12)


@given(films)
def test_properties_of_every_film(film):
    """Numbers are unique in a frame and never come back after `max_gap`; every track is one of the frame's faces,
    no face serves two tracks, and hits grow by one.
    """
    tracker, t = GreedyTracker(max_gap=1.0), 0.0
    hits: dict[int, int] = {}
    last: dict[int, float] = {}
    for faces, dt in film:
        t += dt
        tracks = tracker.update(faces, t)
        assert ids(tracks) == sorted(set(ids(tracks)))
        pool = [f.box for f in faces]
        for track in tracks:
            pool.remove(track.box)  # raises when the box is nobody's, or already another track's
            assert track.hits == hits.get(track.id, 0) + 1
            assert t - last.get(track.id, t) <= 1.0
            if track.hits == 1:
                assert track.id == max(hits, default=0) + 1
            hits[track.id], last[track.id] = track.hits, t


def test_two_who_stop_and_turn_keep_their_numbers():
    """They walk towards each other, stand for a second with a gap between them, and walk back."""
    tracker = GreedyTracker()
    steps = [10 * min(i, 10, max(0, 30 - i)) for i in range(31)]  # 0..100, stay, back to 0
    for i, step in enumerate(steps):
        tracks = tracker.update([face(100 + step), face(360 - step)], i / 10)
        assert where(tracks) == {1: 100 + step, 2: 360 - step}


def test_a_crowd_is_followed_with_faces_in_any_order():
    tracker = GreedyTracker()
    for i in range(30):
        faces = [face(60 + 100 * k + 3 * i, y=100 + 2 * i * (k % 2)) for k in range(5)]
        tracks = tracker.update(faces if not i else faces[i % 5 :] + faces[: i % 5], i / 15)
        assert where(tracks) == {k + 1: 60 + 100 * k + 3 * i for k in range(5)}


def test_a_missed_frame_here_and_there_changes_no_number():
    tracker = GreedyTracker()
    for i in range(60):
        faces = [] if i % 7 == 3 else [face(100 + 5 * i), face(100 + 5 * i, y=300)]
        tracks = tracker.update(faces, i / 20)
        assert ids(tracks) == ([1, 2] if faces else [])


@st.composite
def walks(draw):
    """Two or three people at 10 frames a second, each in a lane 100 px high: faces of 40 px never reach the next.

    Per person and frame: the centre, or None when the face is not found, at most three frames in a row.
    """
    count, frames = draw(st.integers(2, 3)), draw(st.integers(2, 20))
    paths = []
    for lane in range(count):
        x, y, path, missed = draw(st.floats(100, 500)), 0.0, [], 0
        for i in range(frames):
            x += draw(st.floats(-12, 12))
            y = min(max(y + draw(st.floats(-5, 5)), -20), 20)
            gone = i > 0 and missed < 3 and draw(st.integers(0, 9)) == 0
            missed = missed + 1 if gone else 0
            path.append(None if gone else (x, 60 + 100 * lane + y))
        paths.append(path)
    return paths, draw(st.randoms(use_true_random=False))


@given(walks())
def test_numbers_never_swap_while_boxes_do_not_touch(scene):
    """A number never goes to someone in another lane; at worst a person gets a new one."""
    paths, order = scene
    tracker, lane_of = GreedyTracker(max_gap=1.0), {}
    for i, places in enumerate(zip(*paths, strict=True)):
        faces = [face(*place) for place in places if place]
        order.shuffle(faces)
        tracks = tracker.update(faces, i / 10)
        assert len(tracks) == len(faces)
        for track in tracks:
            lane = round((track.box.centre[1] - 60) / 100)
            assert lane_of.setdefault(track.id, lane) == lane


@pytest.mark.parametrize("across", [True, False])
def test_the_velocity_is_smoothed_by_its_time_constant(across):
    """After a step at 100 px/s, 1 - 1/e of it is believed; one who then moves as predicted keeps that velocity."""
    tracker = GreedyTracker(smoothing=0.1, min_iou=0.5)

    def seen(way, t):
        return ids(tracker.update([face(100 + way) if across else face(100, y=100 + way)], t))

    believed = 10 * (1 - math.exp(-1))  # px in 0.1 s
    assert (seen(0, 0.0), seen(10, 0.1)) == ([1], [1])
    tracker.min_iou = 0.99
    assert seen(10 + believed, 0.2) == [1]
    assert seen(10 + 2 * believed, 0.3) == [1]


def test_each_limit_is_met_by_its_own_value():
    """At exactly min_iou it is the same person, at exactly `duplicate` the same face."""
    tracker = GreedyTracker(min_iou=1 / 3)
    tracker.update([face(100)], 0.0)
    assert ids(tracker.update([face(120)], 0.1)) == [1]
    tracker = GreedyTracker(duplicate=0.5)
    tracker.update([face(100)], 0.0)
    assert ids(tracker.update([face(100), face(120)], 0.1)) == [1]
    assert ids(tracker.update([face(100), face(121)], 0.2)) == [1, 2]


def test_a_box_of_half_a_pixel_is_a_duplicate_and_one_without_area_is_none():
    tracker = GreedyTracker()
    tracker.update([face(100)], 0.0)
    assert ids(tracker.update([face(100), face(100, size=0.5)], 0.1)) == [1]
    assert ids(tracker.update([face(100), face(100, size=0.0)], 0.2)) == [1, 2]


def test_a_small_face_that_moves_by_its_own_size_keeps_the_number():
    tracker = GreedyTracker()
    for i in range(5):  # no box touches the one before
        tracks = tracker.update([face(100 + 11 * i, size=10)], i / 10)
    assert [(track.id, track.hits) for track in tracks] == [(1, 5)]


def test_whoever_overlaps_more_comes_before_whoever_is_merely_near():
    tracker = GreedyTracker()
    tracker.update([face(100)], 0.0)
    assert where(tracker.update([face(141), face(104)], 0.1)) == {1: 104, 2: 141}


def test_a_face_further_away_than_its_size_is_somebody_else():
    tracker = GreedyTracker()
    tracker.update([face(100)], 0.0)
    assert ids(tracker.update([face(180)], 0.1)) == [2]


def test_a_face_of_a_low_score_continues_a_track_but_starts_none():
    tracker = GreedyTracker(start_score=0.3)
    assert ids(tracker.update([face(100), face(300, score=0.2)], 0.0)) == [1]
    assert ids(tracker.update([face(100, score=0.2), face(300, score=0.2)], 0.1)) == [1]
    assert ids(tracker.update([face(100), face(300, score=0.3)], 0.2)) == [1, 2]
