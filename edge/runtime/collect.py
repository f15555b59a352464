"""Collects pictures for the door's own data set: unsure faces, changed decisions, and what a user reported as wrong.

Off by default, bounded, never sent; `edge.runtime.collected` is the folder that holds them.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.core.errors import SinkError
from edge.core.labels import Mask
from edge.core.records import Decision, Observation, Track
from edge.runtime.collected import Find, Folder
from edge.tracking.minds import MOST, Minds

if TYPE_CHECKING:
    from edge.sinks.buttons import Button

log = logging.getLogger(__name__)

SETTLED = 1.5
"""Seconds after which a person without a decision counts as doubtful."""
PER_PERSON = 3
"""Most pictures of one person, those reported as wrong apart."""
PATIENCE = 5.0
"""Seconds that the end of a run waits for pictures still to be written."""


class Doubts:
    """Chooses what to keep; all times are those of the frames."""

    def __init__(self, reasons: Sequence[str], every: float, sample: int) -> None:
        """`sample`: of this many people one is kept, whatever the decision."""
        self._reasons, self._every, self._sample = frozenset(reasons), every, sample
        self._last = float("-inf")
        self._minds = Minds()
        self._taken: Counter[int] = Counter()
        self._asked: set[tuple[int, str]] = set()

    def of(self, observation: Observation) -> list[Find]:
        """At most one person of a frame: a changed decision before an unsure one, and that before a sample."""
        decisions = {d.track_id: d for d in observation.decisions if not d.not_a_face}
        tracks = [t for t in observation.tracks if t.id in decisions and judged(t, observation)]
        changed = [t for t in tracks if self._minds.changes(decisions[t.id])]
        settled = [t for t in tracks if t.age >= SETTLED]
        unsure = [t for t in settled if decisions[t.id].mask is Mask.UNSURE]
        sample = [t for t in settled if t.id % self._sample == 0 and not self._taken[t.id]]
        self._forget(observation)
        if observation.frame.t - self._last < self._every or not observation.clear:
            return []
        for why, some in (("changed", changed), ("unsure", unsure), ("sample", sample)):
            for track in some if why in self._reasons else ():
                if self._taken[track.id] < PER_PERSON and (why == "changed" or (track.id, why) not in self._asked):
                    self._last = observation.frame.t
                    self._taken[track.id] += 1
                    self._asked.add((track.id, why))
                    return [find(observation, track, decisions[track.id], why)]
        return []

    def wrong(self, observation: Observation) -> list[Find]:
        """All people in a frame that a user reports as wrong."""
        decisions = {d.track_id: d for d in observation.decisions}
        return [find(observation, t, decisions.get(t.id), "wrong") for t in observation.tracks]

    def _forget(self, observation: Observation) -> None:
        present = {track.id for track in observation.tracks}
        self._minds.forget(present)
        if len(self._taken) > MOST:
            self._taken = Counter({k: v for k, v in self._taken.items() if k in present})
            self._asked = {one for one in self._asked if one[0] in present}


def judged(track: Track, observation: Observation) -> bool:
    """Whether the face is large enough to be judged."""
    return min(track.box.width, track.box.height) >= observation.min_face


def find(observation: Observation, track: Track, decision: Decision | None, why: str) -> Find:
    said, sure = (decision.outcome, decision.confidence) if decision else ("unsure", 0.0)
    return Find(observation, track, said, sure, why)


class Collector:
    """Sees every step of the loop and writes in a thread of its own: a slow card never delays a frame."""

    def __init__(
        self, folder: Folder, reasons: Sequence[str], every: float, sample: int, button: Button | None = None
    ) -> None:
        """`button`: pressing it is the same as calling `wrong`; the caller closes it."""
        self.folder, self.problem, self.pictures, self.button = folder, "", folder.pictures, button
        self._doubts = Doubts(reasons, every, sample)
        self._told = "wrong" in reasons
        self._seen: Observation | None = None
        self._work: queue.Queue[Find | None] = queue.Queue(maxsize=8)
        self._thread = threading.Thread(target=self._write, name="collect", daemon=True)
        self._thread.start()
        log.warning("collecting: pictures of people are kept in %s (%d there)", folder.path, self.pictures)

    def see(self, observation: Observation) -> None:
        self._seen = observation
        self._put(self._doubts.of(observation))

    def wrong(self) -> None:
        """A user reports that what is shown now is wrong."""
        if self._seen is not None and self._told:
            self._put(self._doubts.wrong(self._seen))

    def listen(self, said: bool = False) -> bool:
        """Reads the button, once per step; `said`: a mistake was reported elsewhere. True if one was reported."""
        told = (self.button is not None and self.button.pressed()) or said
        if told:
            self.wrong()
        return told

    def report(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder.path),
            "pictures": self.pictures,
            "button": self.button.name if self.button else "",
            "problem": self.problem or (self.button.problem if self.button else ""),
        }

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._work.put(None, timeout=PATIENCE)
            self._thread.join(PATIENCE)
        if self._thread.is_alive():
            log.error("collect: '%s' does not take the last pictures, left alone", self.folder.path)

    def _put(self, finds: Sequence[Find]) -> None:
        for one in finds:
            try:
                self._work.put_nowait(one)
            except queue.Full:
                return

    def _write(self) -> None:
        self._try(self.folder.expire)
        while True:
            try:
                one = self._work.get(timeout=3600)
            except queue.Empty:
                self._try(self.folder.expire)
                continue
            if one is None:
                return
            self._try(partial(self.folder.add, one))

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
            self.problem, self.pictures = "", self.folder.pictures
        except Exception as error:  # a picture that cannot be kept must not end the thread
            problem = str(error) if isinstance(error, SinkError) else f"collect: {type(error).__name__}: {error}"
            if problem != self.problem:
                log.error("%s", problem)
            self.problem = problem
