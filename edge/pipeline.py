"""The hot loop."""

from __future__ import annotations

from collections.abc import Generator

from edge.metrics import Timers
from edge.ports import Camera, Classifier, Detector, Judge, Tracker
from edge.records import Observation


class Pipeline:
    """A camera in, a stream of observations out; every stage is timed under its name."""

    def __init__(
        self, detector: Detector, tracker: Tracker, classifier: Classifier, judge: Judge, timers: Timers
    ) -> None:
        self.detector = detector
        self.tracker = tracker
        self.classifier = classifier
        self.judge = judge
        self.timers = timers

    def watch(self, camera: Camera) -> Generator[Observation, None, None]:
        """One observation per frame, in the camera's order. Raises CameraError and EngineError."""
        timers = self.timers
        for frame in timers.each("camera", camera):
            with timers("detect"):
                faces = self.detector.detect(frame.image)
            with timers("track"):
                tracks = self.tracker.update(faces, frame.t)
            for track in self.judge.due(tracks, frame.t):  # settled tracks cost nothing
                with timers("classify"):
                    verdict = self.classifier.classify(frame.image, track.box)
                self.judge.hear(track, verdict, frame.t)
            with timers("decide"):
                decisions = self.judge.decide(tracks, frame.t)
            yield Observation(frame, tracks, decisions)
