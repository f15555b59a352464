"""The hot loop."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from edge.core.geometry import Box
from edge.core.metrics import Timers
from edge.core.ports import Camera, Classifier, Detector, Judge, Tracker
from edge.core.records import Frame, Image, Observation, Track
from edge.vision.change import ChangeDetector
from edge.vision.visibility import Visibility


class Pipeline:
    """Turns a camera into a stream of observations; every stage is timed under its name."""

    def __init__(
        self,
        detector: Detector,
        tracker: Tracker,
        classifier: Classifier,
        judge: Judge,
        timers: Timers,
        visibility: Visibility | None = None,
        changes: ChangeDetector | None = None,
    ) -> None:
        """`changes` makes a settled face be classified before it is due, if its picture changes."""
        self.detector = detector
        self.tracker = tracker
        self.classifier = classifier
        self.judge = judge
        self.timers = timers
        self.visibility = visibility
        self.changes = changes

    def run(self, camera: Camera) -> Generator[Observation, None, None]:
        """Yields one observation per frame, in the camera's order. Raises CameraError and EngineError."""
        for frame in self.timers.each("camera", camera):
            yield self.process(frame)

    def process(self, frame: Frame) -> Observation:
        """Runs one frame through every stage; one that cannot be judged gives no votes. Raises EngineError."""
        timers = self.timers
        blind = self.visibility.update(frame.image, frame.t) if self.visibility else None
        with timers("detect"):
            faces = self.detector.detect(frame.image)
        with timers("track"):
            tracks = self.tracker.update(faces, frame.t)
        judged = not blind and (self.visibility is None or self.visibility.clear)
        for track in self._due(frame, tracks) if judged else ():  # settled tracks cost nothing
            with timers("classify"):
                verdict = self.classifier.classify(frame.image, track.box, track.score)
            self.judge.add_verdict(track, verdict, frame.t)
            if self.changes:
                self.changes.classified(track.id)
        with timers("decide"):
            decisions = self.judge.decide(tracks, frame.t)
        return Observation(
            frame, tracks, [] if blind else decisions, blind, judged, getattr(self.judge, "min_face", 0.0)
        )

    def _due(self, frame: Frame, tracks: Sequence[Track]) -> Sequence[Track]:
        """The tracks due for classification, and those whose picture has changed since the last time."""
        due = self.judge.needs_classification(tracks, frame.t)
        if not self.changes:
            return due
        ids = self.changes.changed(frame.image, tracks) | {track.id for track in due}
        return [track for track in tracks if track.id in ids]

    def warm_up(self, image: Image) -> None:
        """Runs both networks once, with or without a face, and discards their output. Raises EngineError."""
        self.detector.detect(image)
        height, width = image.shape[:2]
        self.classifier.classify(image, Box(0, 0, width, height))
