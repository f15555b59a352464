"""The synthetic camera: everything follows from t and the seed, and it tells the truth about itself."""

import sys

import numpy as np
import pytest

pytest.importorskip("skimage", reason="the extra 'demo' is not installed")

from edge.cameras.synthetic import PHASE, SyntheticCamera
from edge.core.errors import MissingPackage

TIMES = [i * 0.9 for i in range(40)]


def still(**options):
    return SyntheticCamera(**{"width": 320, "height": 240, "realtime": False, **options})


def test_frames_come_at_their_rate_until_the_end():
    with still(fps=10.0, duration=0.55) as camera:
        frames = list(camera)
    assert [(f.index, f.t) for f in frames] == [(i, i / 10) for i in range(6)]
    assert all(f.image.shape == (240, 320, 3) and f.image.dtype == np.uint8 for f in frames)


def test_the_same_seed_gives_the_same_frames_in_any_order():
    a, b = still(seed=5), still(seed=5)
    later = a.image_at(13.0)
    assert (b.image_at(5.0) == a.image_at(5.0)).all()
    assert (b.image_at(13.0) == later).all()
    assert (still(seed=6).image_at(13.0) != later).any()


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (360, 480)])
def test_the_face_stays_in_the_frame_and_comes_and_goes(width, height):
    camera = still(width=width, height=height)
    boxes = [camera.face_at(t) for t in TIMES]
    assert all(box == box.clipped(width, height) for box in boxes)
    sizes = [box.height / min(width, height) * 480 for box in boxes]
    assert 59 < min(sizes) < 65
    assert 190 < max(sizes) < 201
    assert max(box.centre[0] for box in boxes) - min(box.centre[0] for box in boxes) > 0.3 * width


def test_the_mask_changes_the_lower_half_of_the_face_and_nothing_else():
    camera, bare = still(width=640, height=480), still(width=640, height=480)
    bare.mask_on_at = lambda t: False
    for t in (PHASE + 1, 3 * PHASE + 1):
        assert camera.mask_on_at(t)
        box = camera.face_at(t)
        changed = np.abs(camera.image_at(t).astype(int) - bare.image_at(t)).max(-1) > 25
        y, x = np.nonzero(changed)
        assert 0.2 * box.area < len(y) < 0.9 * box.area
        assert abs(x.mean() - box.centre[0]) < 0.15 * box.width
        assert box.centre[1] < y.mean() < box.y1
        assert y.min() > box.y0 + 0.2 * box.height
    assert (camera.image_at(1.0) == bare.image_at(1.0)).all()


def test_the_mask_goes_on_and_off_in_phases():
    camera = still()
    states = [camera.mask_on_at(i * PHASE + d) for i in range(4) for d in (0.0, PHASE - 0.01)]
    assert states == [False, False, True, True] * 2


def test_the_light_drifts():
    camera = still(width=160, height=120)
    means = [camera.image_at(t).mean() for t in TIMES[::4]]
    assert max(means) > 1.3 * min(means)


def test_in_real_time_frames_wait_when_early_and_are_dropped_when_late():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    camera = SyntheticCamera(64, 48, fps=10.0, duration=1.0, clock=lambda: now[0], sleep=sleep)
    indices = []
    for frame in camera:
        indices.append(frame.index)
        now[0] += 0.25 if frame.index < 4 else 0.0
    assert indices == [0, 2, 4, 5, 6, 7, 8, 9]
    assert camera.dropped == 2
    assert sum(slept) == pytest.approx(0.4)


def test_without_scikit_image_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingPackage, match=r"scikit-image.*pip install"):
        SyntheticCamera()
