"""For the container: a network camera. Serves the pictures of a folder, over and over, as motion JPEG over HTTP.

python3 feeder.py FOLDER FPS. Needs nothing but Python.
"""

import itertools
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PICTURES = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.jpg"))]
PERIOD = 1 / float(sys.argv[2])


class Camera(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        print("a viewer came", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        due = time.monotonic()
        for picture in itertools.cycle(PICTURES):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + picture + b"\r\n")
            except OSError:
                return
            due = max(due + PERIOD, time.monotonic())
            time.sleep(max(due - time.monotonic(), 0))

    def log_message(self, *parts: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", 8090), Camera).serve_forever()
