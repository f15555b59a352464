"""Annotated videos are what a browser plays, or the log says why they are not."""

import shutil
import subprocess

import numpy as np
import pytest

from edge.core.records import Frame
from edge.runtime import outputs


def film(path, size=(49, 65)):
    with outputs.video(path, 10.0) as watch:
        for i in range(10):
            frame = Frame(i, i / 10, np.full((*size, 3), 20 * i, np.uint8))
            watch(frame, frame.image)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffmpeg")
def test_it_is_h264_with_halved_colours_also_for_odd_sides(tmp_path, caplog):
    film(tmp_path / "o.mp4")
    asked = "ffprobe -v error -show_entries stream=codec_name,pix_fmt:format=duration -of csv=p=0"
    said = subprocess.run([*asked.split(), tmp_path / "o.mp4"], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["h264,yuv420p", "1.000000"]
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    assert not caplog.records


def test_without_an_encoder_the_video_is_there_and_the_log_says_what_to_do(tmp_path, caplog, monkeypatch):
    import cv2

    opened = cv2.VideoWriter(str(tmp_path / "x.mp4"), cv2.VideoWriter.fourcc(*"avc1"), 10.0, (64, 48)).isOpened()
    if opened:
        pytest.skip("this OpenCV has an H.264 encoder")
    (tmp_path / "x.mp4").unlink(missing_ok=True)
    monkeypatch.setattr("shutil.which", lambda name: None)
    film(tmp_path / "o.mp4")
    assert (tmp_path / "o.mp4").stat().st_size > 500
    assert "apt install ffmpeg" in caplog.text
    assert "o.mp4" in caplog.text


def test_an_ffmpeg_that_fails_leaves_the_video_and_nothing_else(tmp_path, caplog, monkeypatch):
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho no encoder called libx264 >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(fake))
    (tmp_path / "out").mkdir()
    film(tmp_path / "out" / "o.mp4")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["o.mp4"]
    assert "libx264" in caplog.text or not caplog.records
