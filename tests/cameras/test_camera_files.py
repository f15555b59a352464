"""Pictures, folders and videos as cameras, and what damaged ones say."""

import logging
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras import files
from edge.cameras.base import Pace
from edge.core.errors import CameraError

LEFT, RIGHT = (200, 30, 30), (30, 30, 200)  # RGB: red on the left, blue on the right


def picture(width=64, height=48):
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = LEFT, RIGHT
    return image


def encoded(suffix, *options):
    noise = np.random.default_rng(0).integers(0, 25, (48, 64, 3), dtype=np.uint8)
    return cv2.imencode(suffix, (picture() + noise)[..., ::-1], options)[1].tobytes()


def video(path, frames=10, fps=10.0, code="MJPG"):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, (64, 48))
    assert writer.isOpened()
    for i in range(frames):
        writer.write(np.full((48, 64, 3), i * 20 % 256, np.uint8))
    writer.release()
    return path


class Clock:
    """Stands still until told: by a sleep, or by the test."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_a_picture_comes_as_rgb(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix))
    (frame,) = files.open_recording(path)
    assert (frame.index, frame.t, frame.image.shape, frame.image.dtype) == (0, 0.0, (48, 64, 3), np.uint8)
    assert frame.image[20, 10, 0] > 150 > frame.image[20, 10, 2]
    assert frame.image[20, 60, 2] > 150 > frame.image[20, 60, 0]


def test_a_folder_plays_sorted_and_recursive_at_its_rate(tmp_path):
    for name in ("b.JPG", "sub/c.jpg", "a.jpg", ".hidden.jpg", ".cache/d.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(".jpg"))
    with files.open_recording(tmp_path, fps=4.0) as camera:
        assert [p.name for p in camera.paths] == ["a.jpg", "b.JPG", "c.jpg"]
        assert [(f.index, f.t) for f in camera] == [(0, 0.0), (1, 0.25), (2, 0.5)]
        assert len(list(camera)) == 3, "a folder can be played again"


PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)


@pytest.mark.parametrize(("suffix", "options"), [(".jpg", ()), (".jpg", PROGRESSIVE), (".jpg", RESTARTS), (".png", ())])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
def test_a_cut_picture_is_skipped_counted_and_logged(tmp_path, caplog, suffix, options, share):
    whole = encoded(suffix, *options)
    for name, data in (("a", whole), ("b", whole[: int(len(whole) * share)]), ("c", whole + b"trailing bytes")):
        (tmp_path / f"{name}{suffix}").write_bytes(data)
    camera = files.PictureFiles(files.find(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert [(f.index, f.t) for f in camera] == [(0, 0.0), (2, 1.0)]
    assert [(p.name, "cut short" in why) for p, why in camera.skipped] == [(f"b{suffix}", True)]
    (message,) = caplog.messages
    assert message.startswith(f"skipped: {tmp_path}/b{suffix}: ")


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path):
    whole, thumbnail = encoded(".jpg"), encoded(".jpg")
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    data = whole[:2] + segment + whole[2:]
    (tmp_path / "a.jpg").write_bytes(data)
    assert files.read(tmp_path / "a.jpg").shape == (48, 64, 3)
    (tmp_path / "a.jpg").write_bytes(data[:-40])
    with pytest.raises(CameraError, match="cut short"):
        files.read(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jpg", b"", "empty"),
        ("a.jpg", b"no picture at all", "not a picture"),
        ("a.mp4", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        ("a.mp4", b"no video at all" * 100, "neither a picture nor a video"),
        ("a.txt", b"hello", "neither a picture nor a video"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path, capfd, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CameraError, match=words) as caught:
        files.open_recording(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == "", "OpenCV and FFmpeg stay silent"


def test_what_is_not_there_or_has_no_pictures(tmp_path):
    with pytest.raises(CameraError, match="no such file or folder"):
        files.open_recording(tmp_path / "nowhere.mp4")
    with pytest.raises(CameraError, match="no pictures"):
        files.open_recording(tmp_path)


def test_a_file_that_cannot_be_read():
    memory = Path("/proc/self/mem")  # exists, opens, and refuses to be read from its start, for root too
    if not memory.exists():
        pytest.skip("needs Linux's /proc")
    with pytest.raises(CameraError, match="cannot be read"):
        files.open_recording(memory)


def test_a_video_plays_once_with_its_positions(tmp_path):
    with files.open_recording(video(tmp_path / "a.avi")) as camera:
        assert camera.fps == pytest.approx(10.0)
        frames = list(camera)
        assert [f.index for f in frames] == list(range(10))
        assert [f.t for f in frames] == pytest.approx([i / 10 for i in range(10)])
        assert [int(f.image.mean()) for f in frames] == pytest.approx([i * 20 for i in range(10)], abs=3)


def test_a_video_is_turned_as_its_metadata_say(tmp_path):
    path = video(tmp_path / "a.mp4", code="mp4v")
    one = 1 << 16  # the transformation of a track header: 9 fixed-point numbers (ISO/IEC 14496-12)
    upright = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    quarter_turn = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)
    before, header, after = path.read_bytes().partition(b"tkhd")
    path.write_bytes(before + header + after.replace(upright, quarter_turn, 1))
    assert {f.image.shape for f in files.open_recording(path)} == {(64, 48, 3)}


def test_a_cut_video(tmp_path, caplog, capfd):
    data = video(tmp_path / "a.avi", frames=40).read_bytes()
    (tmp_path / "a.avi").write_bytes(data[: len(data) // 2])
    frames = list(files.open_recording(tmp_path / "a.avi"))
    assert 0 < len(frames) < 30
    (message,) = caplog.messages
    assert f"ended after {len(frames)} of" in message
    mp4 = video(tmp_path / "b.mp4", code="mp4v")
    mp4.write_bytes(mp4.read_bytes()[:1000])
    with pytest.raises(CameraError, match="cut short"):
        files.open_recording(mp4)
    assert capfd.readouterr().err == ""


def test_real_time_waits_for_frames_that_are_early(tmp_path):
    clock = Clock()
    camera = files.VideoFile(video(tmp_path / "a.avi"), True, clock, clock.sleep)
    assert [f.index for f in camera] == list(range(10))
    assert clock.slept == pytest.approx([0.1] * 9)
    assert camera.dropped == 0


def test_real_time_drops_frames_that_are_late(tmp_path):
    clock = Clock()
    camera = files.VideoFile(video(tmp_path / "a.avi"), True, clock, clock.sleep)
    seen = []
    for frame in camera:
        seen.append(frame.index)
        clock.now += 0.25  # slower than the ten frames a second
    assert seen == [0, 2, 4, 7, 9]
    assert camera.dropped == 5


def test_a_pace_that_is_always_late_still_shows_a_frame_a_second():
    clock = Clock()
    pace = Pace(0.1, clock, clock.sleep)
    assert pace.admits(0.0)
    clock.now += 1000
    assert [t for t in range(50) if pace.admits(t / 10)] == [10, 20, 30, 40]


@pytest.mark.parametrize(
    "name", ["2026-11-20T08:15:00.avi", "./10:30.avi", "file:a.avi", "what?.avi", "100%d.avi", "#1.avi"]
)
def test_a_recording_may_have_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    video(tmp_path / "plain.avi", 3).rename(tmp_path / name)
    assert len(list(files.open_recording(name))) == 3


def test_a_rate_that_cannot_be_is_not_believed(tmp_path):
    """Some files state the ticks of their clock: at that rate a video would repeat each picture thousands of times."""
    for said, believed in ((90000.0, 25.0), (12.5, 12.5)):
        with files.VideoFile(video(tmp_path / "a.avi", fps=said)) as played:
            assert played.fps == believed
    assert [files._rate(said) for said in (0.0, -1.0, float("nan"), float("inf"), 1e-9)] == [25.0] * 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are Unix's")
def test_a_device_or_a_pipe_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    for path in (tmp_path / "a.mp4", Path("/dev/zero")):
        with pytest.raises(CameraError, match="is a device or a pipe: expected a recording"):
            files.open_recording(path)
