"""Pictures that claim too much: refused before they are decoded, at the opening and in the middle."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import cv2
import numpy as np
import pytest

from edge.cameras import allocation, files
from edge.cameras.stream import StreamCamera
from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.testing.defaults import with_defaults

StreamCamera = with_defaults(StreamCamera, defaults.Camera(), silence=5.0)

SMALL = [cv2.imencode(".jpg", np.full((48, 64), 40 * k, np.uint8))[1].tobytes() for k in range(1, 6)]


@pytest.fixture(scope="module")
def huge():
    """A JPEG of a few 100 kB that is 144 megapixels when decoded."""
    return cv2.imencode(".jpg", np.zeros((12000, 12000), np.uint8))[1].tobytes()


@pytest.fixture
def limited():
    if not allocation.limit():
        pytest.skip("no libavutil of OpenCV's is loaded here, so there is no limit to prove")


@pytest.fixture
def serve():
    """serve(type, parts): the address of an HTTP server that answers every request with that."""
    servers = []

    def start(kind, parts):
        class Server(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                for part in parts:
                    self.wfile.write(part)

            def log_message(self, *arguments):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Server))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/snapshot.jpg?name=S3CRET"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def motion(pictures):
    head = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return "multipart/x-mixed-replace; boundary=x", [head % len(one) + one + b"\r\n" for one in pictures]


@pytest.mark.parametrize(("size", "words"), [("W9000 H6000", "9000x6000: expected at most 50"), ("W64 H48", "")])
def test_a_video_that_announces_too_large_pictures_is_refused(tmp_path, size, words):
    path = tmp_path / "a.y4m"
    path.write_bytes(f"YUV4MPEG2 {size} F10:1 Ip A1:1 C420jpeg\n".encode() + (b"FRAME\n" + bytes(64 * 72)) * 3)
    if words:
        with pytest.raises(CameraError, match=words):
            files.open_recording(path)
    else:
        assert files.open_recording(path).fps == 10


@pytest.mark.fault("a frame claims 144 megapixels", "in the middle of a recording", "it ends there", "-")
def test_a_recording_ends_at_a_picture_that_is_too_large(tmp_path, huge, limited, caplog):
    path = tmp_path / "a.mjpeg"
    path.write_bytes(b"".join([*SMALL, huge, *SMALL]))
    frames = list(files.VideoFile(path))
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * len(SMALL)


@pytest.mark.fault("a frame claims 144 megapixels", "in the middle of a stream", "camera lost", "reopened with pauses")
def test_a_stream_is_lost_at_a_picture_that_is_too_large(serve, huge, limited):
    frames = []
    with (
        StreamCamera(serve(*motion([*SMALL, huge, *SMALL]))) as camera,
        pytest.raises(CameraError, match="ended, or silent"),
    ):
        frames.extend(camera)
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * len(SMALL)


def test_a_stream_that_begins_with_too_large_pictures_is_refused(serve):
    large = cv2.imencode(".jpg", np.zeros((7000, 8000), np.uint8))[1].tobytes()  # a plane of it is still allowed
    with pytest.raises(CameraError, match="8000x7000: expected at most 50 megapixels"):
        StreamCamera(serve(*motion([large] * 3)))


PNG = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))[1].tobytes()


@pytest.mark.fault("a snapshot's address", "one picture, then the end", "said with the remedy, never ok", "-")
@pytest.mark.parametrize(("kind", "parts"), [("image/jpeg", SMALL[:1]), ("image/png", [PNG])])
def test_the_address_of_a_snapshot_is_no_stream(serve, kind, parts):
    frames = []
    with StreamCamera(serve(kind, parts)) as camera, pytest.raises(CameraError) as caught:
        frames.extend(camera)
    assert frames == [], "not even one, or the camera would be ok for a moment, again and again"
    assert "gives one picture and ends, as a snapshot's address does: expected the address" in str(caught.value)
    assert "S3CRET" not in str(caught.value)
