"""Gives only the latest frame of a live camera, so that a slow pipeline never processes old frames."""

from __future__ import annotations

import threading

from edge.cameras.base import ENDED, OK, Live
from edge.core.errors import bare
from edge.core.ports import Camera
from edge.core.records import Frame


class LatestFrame(Live):
    """Reads `camera` in its own thread and returns the newest unseen frame.

    `dropped` counts the unseen frames. An error of the camera is raised in the thread that polls, after
    the last good frame. The camera is closed by the thread that reads it: releasing an OpenCV capture during
    a read crashes. `close` waits up to `patience` seconds for that; a read that hangs longer is left to the
    daemon thread and cannot keep the program alive.
    """

    def __init__(self, camera: Camera, patience: float = 2.0) -> None:
        self.dropped = 0
        self._camera = camera
        self._patience = patience
        self._change = threading.Condition()
        self._frame: Frame | None = None
        self._error: Exception | None = None
        self._ended = False
        self._closing = False
        self._reader = threading.Thread(target=self._read, name="camera", daemon=True)

    @property
    def hangs(self) -> bool:
        """Whether the reading thread still runs and holds the camera."""
        return self._reader.is_alive()

    def poll(self, timeout: float) -> Frame | None:
        """See `Live.poll`. Raises what the camera raised."""
        if self._reader.ident is None and not self._closing:
            self._reader.start()
        with self._change:
            self._change.wait_for(lambda: self._closing or self._ended or self._frame is not None, timeout)
            frame, self._frame = self._frame, None
            if self._closing or (self._ended and frame is None):
                self.state = ENDED
            elif frame is not None:
                self.state = OK
        if self._closing:
            return None
        error = self._error
        if frame is None and error is not None:
            self._error = None
            try:
                raise error
            finally:
                del error  # stored in this stack frame, to which its traceback refers, it would make a cycle
        return frame

    def _read(self) -> None:
        try:
            for frame in self._camera:
                if not self._put(frame):
                    break
        except Exception as error:
            self._error = bare(error)
        finally:
            self._camera.close()
            with self._change:
                self._ended = True
                self._change.notify_all()

    def _put(self, frame: Frame) -> bool:
        """False when the camera should stop."""
        with self._change:
            self.dropped += self._frame is not None
            self._frame = frame
            self._change.notify_all()
            return not self._closing

    def close(self) -> None:
        self.abandon()
        if self._reader.ident is None:
            self._camera.close()
        elif self._reader is not threading.current_thread():
            self._reader.join(self._patience)

    def abandon(self) -> None:
        """Closes without waiting: the reading thread closes the camera when its read returns."""
        with self._change:
            self._closing = True
            self._change.notify_all()
