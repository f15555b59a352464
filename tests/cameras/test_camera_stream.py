"""Network cameras, against a real HTTP server on the loopback."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

import cv2
import numpy as np
import pytest

from edge.cameras.reconnecting import ReconnectingCamera
from edge.cameras.stream import StreamCamera
from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.testing.defaults import with_defaults

ReconnectingCamera = with_defaults(ReconnectingCamera, defaults.Camera(), first_within=15.0)
StreamCamera = with_defaults(StreamCamera, defaults.Camera(), silence=5.0)

FRAMES = 6
PATIENCE = 60.0  # seconds until a test gives up


class MotionJpeg(BaseHTTPRequestHandler):
    """What a cheap network camera serves: FRAMES pictures, then the end."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), (20, 30, 220), np.uint8))[1].tobytes()
        for _ in range(FRAMES):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), MotionJpeg) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_stream_gives_rgb_frames_until_it_ends(server):
    arrivals, frames = count(), []
    with StreamCamera(f"http://me:secret@{server}/video", clock=lambda: next(arrivals) / 4) as camera:
        assert camera.describe().startswith(f"http://{server}/...: 64x48 at ")
        with pytest.raises(CameraError, match=r"127.0.0.1:\d+/...': ended, or silent for 5 s") as caught:
            frames.extend(camera)  # keeps what came before the error
    assert [(f.index, f.t) for f in frames] == [(i, i / 4) for i in range(FRAMES)]
    assert frames[-1].image[20, 30] == pytest.approx((220, 30, 20), abs=3)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_nobody_answers(capfd, scheme):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        port = taken.getsockname()[1]
        with pytest.raises(CameraError, match="cannot be opened") as caught:
            StreamCamera(f"{scheme}://me:secret@127.0.0.1:{port}/live", timeout=1.0)
    said = str(caught.value) + "".join(capfd.readouterr())
    assert f"'{scheme}://127.0.0.1:{port}/...'" in said
    assert "secret" not in said


def test_a_silent_server_is_given_up_after_the_timeout(capfd):
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(CameraError, match=r"within 0\.2 s"):
        StreamCamera(f"http://127.0.0.1:{silent.getsockname()[1]}/live", timeout=0.2)
    assert 0.2 <= time.monotonic() - start < 25, "not the 30 s of OpenCV"
    assert capfd.readouterr().err == ""


def test_a_stream_that_ends_is_opened_again(server):
    camera = ReconnectingCamera(lambda: StreamCamera(f"http://{server}/video"), frozen_after=0, retry_first=0.1)
    history, frames = [], []
    camera.on_state = history.append
    with camera:
        while camera.reopened < 2:
            frame = camera.poll(PATIENCE)
            frames += [frame] if frame else []
    lost = f"lost: stream 'http://{server}/...': ended, or silent for 5 s"
    assert history[:4] == ["ok", lost, "ok", lost]
    assert [f.t for f in frames] == sorted(f.t for f in frames)
    assert [f.index for f in frames] == list(range(len(frames)))


def test_a_stream_that_falls_silent_is_given_up_after_the_silence(capfd):
    silent = threading.Event()

    class Stalling(MotionJpeg):
        def do_GET(self):
            super().do_GET()
            silent.wait(PATIENCE)  # the connection stays open

    with HTTPServer(("127.0.0.1", 0), Stalling) as http:
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        start, frames = time.monotonic(), []
        with (
            StreamCamera(f"http://127.0.0.1:{http.server_port}/video", silence=0.5) as camera,
            pytest.raises(CameraError, match=r"silent for 0\.5 s"),
        ):
            frames.extend(camera)
        taken = time.monotonic() - start
        silent.set()
        http.shutdown()
    assert frames
    assert 0.5 <= taken < 25, "not the 30 s of OpenCV"
