"""The protocols between the parts: each has few methods, so that a fake takes ten lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Decision, Event, Face, Frame, Image, Observation, Track, Verdict


class Camera(Protocol):
    """A stream of frames, which ends when a recording ends. Close it after use."""

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """One network on one backend."""

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """Runs the network on one picture of exactly its input size, or one of its `Shaped.shapes`: RGB, uint8.

        Returns the outputs in the bundle's order as float32, dequantised, without the batch axis. The engine does the
        normalisation and the quantisation of the input. Raises EngineError.
        """

    def close(self) -> None: ...


class Shaped(Engine, Protocol):
    """An engine that takes pictures of several shapes."""

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """Width and height of each, that of the bundle first; empty if there is no other."""


class Detector(Protocol):
    def detect(self, image: Image) -> Sequence[Face]:
        """The faces of a full frame, best score first."""


class Classifier(Protocol):
    def classify(self, image: Image, box: Box, score: float | None = None) -> Verdict:
        """The mask state of the face at `box` of a full frame; `score`: the detector's, None if unknown."""


class Tracker(Protocol):
    def update(self, faces: Sequence[Face], t: float) -> Sequence[Track]:
        """Matches the faces of the frame at `t` to tracks; returns the tracks seen in this frame."""


class Judge(Protocol):
    def needs_classification(self, tracks: Sequence[Track], t: float) -> Sequence[Track]:
        """The tracks to classify in this frame."""

    def add_verdict(self, track: Track, verdict: Verdict, t: float) -> None:
        """Adds one classification to the votes of a track."""

    def decide(self, tracks: Sequence[Track], t: float) -> Sequence[Decision]:
        """The mask state of each of `tracks`."""


class Policy(Protocol):
    """Turns observations into events, and decides when the alert is raised and cleared."""

    active: bool
    """Whether the alert is raised."""

    def events(self, observation: Observation) -> list[Event]:
        """The events that one observation causes."""

    def supports(self, decision: Decision) -> bool:
        """Whether a decision speaks for the alert."""

    def snooze(self, seconds: float, t: float) -> list[Event]:
        """Silences alerts for `seconds` from `t`; 0 ends the silence. Returns the resulting events."""

    def snoozed(self, t: float) -> float:
        """Seconds for which alerts are still silenced at `t`; 0 if they are not."""


class Sink(Protocol):
    """A receiver of events: a light, a log, a broker. Raises SinkError; the frame loop goes on."""

    def send(self, event: Event) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class Playing(Protocol):
    """A sink that also changes between events, such as a light that blinks."""

    def advance(self, now: float) -> float | None:
        """Performs the changes that are due at `now` (seconds of a monotonic clock).

        Returns the time of the next change, or None if there is none. Raises SinkError.
        """


@runtime_checkable
class Restated(Protocol):
    """A sink that shows the current state and can be told it again, without a new event."""

    def restate(self, event: Event) -> None:
        """Shows the state that `event`, which was delivered before, led to. Raises SinkError."""
