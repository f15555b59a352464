"""The Protocols between the parts: each has one or two verbs, so each can be faked in ten lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Decision, Event, Face, Frame, Image, Observation, Track, Verdict


class Camera(Protocol):
    """A stream of frames; ends when a recording ends. Close it, or use it in a `with`."""

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """One network on one backend."""

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """Runs one picture of exactly the network's input size.

        Returns the outputs in the bundle's order as float32, without the batch axis, dequantised.
        Normalisation and quantisation are the engine's business: the caller always hands over RGB bytes.
        Raises EngineError.
        """

    def close(self) -> None: ...


class Detector(Protocol):
    def detect(self, image: Image) -> Sequence[Face]:
        """Faces of a full frame, best score first."""


class Classifier(Protocol):
    def classify(self, image: Image, box: Box) -> Verdict:
        """The mask state of the face at `box` of a full frame."""


class Tracker(Protocol):
    def update(self, faces: Sequence[Face], t: float) -> Sequence[Track]:
        """Matches the faces of the frame at `t` to people; returns the tracks seen in this frame."""


class Judge(Protocol):
    def needs_classification(self, tracks: Sequence[Track], t: float) -> Sequence[Track]:
        """The tracks worth a look by the classifier in this frame."""

    def add_verdict(self, track: Track, verdict: Verdict, t: float) -> None:
        """Takes one vote."""

    def decide(self, tracks: Sequence[Track], t: float) -> Sequence[Decision]:
        """The state of every track given."""


class Policy(Protocol):
    """What the world is told of what is seen."""

    active: bool
    """Whether an alert stands."""

    def events(self, observation: Observation) -> list[Event]:
        """The events of one turn of the loop."""

    def snooze(self, seconds: float, t: float) -> list[Event]:
        """No alerts for so many seconds from `t`; 0: alerts again. Returns the events of it."""

    def snoozed(self, t: float) -> float:
        """Seconds for which alerts are still silenced at `t`; 0 when they are not."""


class Sink(Protocol):
    """Somewhere events go: a light, a log, a list. Raises SinkError; the loop goes on without it."""

    def send(self, event: Event) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class Playing(Protocol):
    """What a sink has besides when something of it moves between the events: a light that blinks."""

    def advance(self, now: float) -> float | None:
        """Takes the steps due at `now`, seconds of any steady clock.

        Returns the time of the next one, or None while it stands still. Raises SinkError.
        """


@runtime_checkable
class Restated(Protocol):
    """What a sink has besides when it shows what holds apart from what happens: it can be told the one alone."""

    def restate(self, event: Event) -> None:
        """What `event` made true still holds; it has been told before. Raises SinkError."""
