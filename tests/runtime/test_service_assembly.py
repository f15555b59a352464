"""What a change of the settings closes and opens, with the real classes behind a synthetic camera."""

from contextlib import closing

import pytest

from edge import config
from edge.assemble import Assembly
from edge.core.errors import CameraError

pytest.importorskip("skimage", reason="the synthetic camera needs scikit-image: pip install 'maskcam[demo]'")

BASE = ("camera.source=synthetic", "backend.detector=scripted", "backend.classifier=scripted", "sinks.memory=true")


def settings(*changes: str):
    return config.load(None, [*BASE, *changes])


@pytest.fixture
def assembly():
    with closing(Assembly(live=True)) as assembly:
        yield assembly


def test_a_threshold_changes_and_camera_networks_and_sinks_stay(assembly):
    first = assembly.apply(settings())
    assert first.camera.poll(60) is not None
    second = assembly.apply(settings("alerts.raise_after=0.5", "decision.min_votes=7", "detector.threshold=0.9"))
    assert second.camera is first.camera
    assert second.sinks is first.sinks
    assert second.backends is first.backends
    assert (second.policy.raise_after, second.person_hits) == (0.5, 7)
    assert second.camera.poll(60) is not None


def test_another_camera_is_opened_and_the_old_one_closed(assembly):
    first = assembly.apply(settings())
    assert first.camera.poll(60) is not None
    second = assembly.apply(settings("camera.seed=3"))
    assert first.camera.poll(0) is None
    assert first.camera.state == "ended"
    assert second.camera.poll(60) is not None


def test_other_sinks_close_the_old_ones_and_nothing_else(assembly):
    first = assembly.apply(settings())
    second = assembly.apply(settings("sinks.log=false"))
    assert [sink.closed for sink in first.sinks if hasattr(sink, "closed")] == [True]
    assert len(second.sinks) == len(first.sinks) - 1
    assert second.camera is first.camera


def test_settings_that_cannot_be_opened_leave_the_way_back(assembly):
    assembly.apply(settings())
    with pytest.raises(CameraError, match="does not exist"):
        assembly.apply(settings("camera.source=/nowhere/door.mp4"))
    assert assembly.apply(settings()).camera.poll(60) is not None


def test_closed_it_leaves_nothing_open():
    assembly = Assembly(live=True)
    runtime = assembly.apply(settings())
    assembly.close()
    assert runtime.camera.poll(0) is None
    assert [sink.closed for sink in runtime.sinks if hasattr(sink, "closed")] == [True]
