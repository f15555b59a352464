"""Decides on each person by many verdicts: a bounded sum of votes with hysteresis.

A verdict votes +(2p - 1) for ON or -(2p - 1) for OFF, p its confidence: 1 when certain, 0 at a toss-up. The sum is
bounded, so a few frames of OFF outweigh a minute of ON. Since votes are counted, not seconds, a slow board decides
later but not on less evidence. A mask worn incorrectly votes OFF, since it raises the alert like none; a second sum
tells the two apart. "Not a face" is no vote. If most of the last verdicts on a track say so, it is not a person:
UNSURE, whatever the votes, until most of them say otherwise. A person with a settled decision is classified only now
and then, which saves time; the first vote against the decision takes the sum off its bound, and then every frame is
classified again until the decision is settled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.core.labels import Mask
from edge.core.records import Decision, Track, Verdict

_SIDE = {Mask.ON: 1.0, Mask.OFF: -1.0}
_LOOKS = 9
"""Number of last verdicts that decide whether a track is a face, and how surely."""


@dataclass(slots=True)
class _VoteState:
    """The votes on one track. Times are `Frame.t` in seconds."""

    since: float
    seen: float
    looked: float = float("-inf")
    unsure_from: float | None = None
    """Start of the current run of UNSURE verdicts."""
    mask: Mask = Mask.UNSURE
    votes: int = 0
    evidence: float = 0.0
    """Sum of the votes: positive for ON, negative for OFF."""
    incorrectly: float = 0.0
    """Sum of the votes for OFF: positive for a mask worn incorrectly, negative for none. Bounded likewise."""
    way: bool = False
    """Whether OFF means worn incorrectly; it changes only on a whole vote, so that it does not flicker."""
    looks: deque[Verdict] = field(default_factory=lambda: deque(maxlen=_LOOKS))
    """The last verdicts."""

    @property
    def face(self) -> float:
        """The mean of their `Verdict.face`."""
        return sum(look.face for look in self.looks) / len(self.looks) if self.looks else 1.0

    @property
    def things(self) -> int:
        """How many of them were "not a face"."""
        return sum(look.not_a_face for look in self.looks)

    @property
    def thing(self) -> bool:
        """Whether most of them were."""
        return 2 * self.things > len(self.looks)


class VotingJudge:
    """Implements the `Judge` port.

    min_votes: number of ON or OFF verdicts before the first decision.
    threshold: sum of votes, in certain votes, that a decision needs.
    limit: bound of the sum, in certain votes; a decision flips after `limit + threshold` votes against it.
    recheck_every: seconds between two classifications of a settled track.
    doubt_after: seconds of only UNSURE verdicts after which a decision is dropped.
    min_face: shorter side of a box, in pixels, below which a face is not classified.
    forget_after: seconds without detection after which votes are dropped: the tracker's `max_gap` or more.
    """

    def __init__(
        self,
        min_votes: int,
        threshold: float,
        limit: float,
        recheck_every: float,
        doubt_after: float,
        min_face: float,
        forget_after: float,
    ) -> None:
        self.min_votes = min_votes
        self.threshold = threshold
        self.limit = limit
        self.recheck_every = recheck_every
        self.doubt_after = doubt_after
        self.min_face = min_face
        self.forget_after = forget_after
        self._states: dict[int, _VoteState] = {}

    def needs_classification(self, tracks: Sequence[Track], t: float) -> Sequence[Track]:
        """The tracks to classify in the frame at `t`: large enough, and unsettled or not classified for a while."""
        return [track for track in tracks if self._large(track) and self._waits(self._state(track, t), t)]

    def add_verdict(self, track: Track, verdict: Verdict, t: float) -> None:
        """Adds one verdict. UNSURE is no vote, but a long run of it, or of "not a face", ends a decision."""
        state = self._state(track, t)
        state.looked = t
        state.looks.append(verdict)
        if state.thing:
            if state.votes:
                self._begin_anew(track.id, t)
            return
        if verdict.mask is Mask.UNSURE:
            state.unsure_from = t if state.unsure_from is None else state.unsure_from
            if state.mask is not Mask.UNSURE and t - state.unsure_from >= self.doubt_after:
                self._begin_anew(track.id, t)
            return
        state.unsure_from = None
        state.votes += 1
        vote = _SIDE[verdict.mask] * max(2 * verdict.confidence - 1, 0.0)
        state.evidence = self._bounded(state.evidence + vote)
        if verdict.mask is Mask.OFF:
            state.incorrectly = self._bounded(state.incorrectly + (-vote if verdict.incorrectly_worn else vote))
            if abs(state.incorrectly) >= min(self.threshold, 1.0):
                state.way = state.incorrectly > 0
        speaks_for = Mask.ON if state.evidence > 0 else Mask.OFF
        strong = state.votes >= self.min_votes and abs(state.evidence) >= self.threshold
        if strong and speaks_for is verdict.mask and speaks_for is not state.mask:  # never by a vote against it
            state.mask, state.since = speaks_for, t

    def decide(self, tracks: Sequence[Track], t: float) -> Sequence[Decision]:
        """One decision per track, in their order.

        The confidence is the sum of the votes, scaled: 0 all against the decision, 0.5 none, 1 all for it.
        """
        for track in tracks:
            self._state(track, t).seen = t
        self._states = {id: state for id, state in self._states.items() if t - state.seen <= self.forget_after}
        return [self._decision(track.id) for track in tracks]

    def _decision(self, id: int) -> Decision:
        state = self._states[id]
        if state.thing and len(state.looks) >= self.min_votes:
            share = state.things / len(state.looks)
            return Decision(id, Mask.UNSURE, share, state.since, not_a_face=True, face=state.face)
        share = abs(state.evidence) if state.mask is Mask.UNSURE else state.evidence * _SIDE[state.mask]
        incorrectly = state.mask is Mask.OFF and state.way
        return Decision(id, state.mask, (1 + share / self.limit) / 2, state.since, incorrectly, face=state.face)

    def _begin_anew(self, id: int, t: float) -> None:
        """Drops the votes on a track, because they are too old or were about something else."""
        old = self._states[id]
        self._states[id] = _VoteState(t, old.seen, looks=old.looks)

    def _bounded(self, votes: float) -> float:
        return min(max(votes, -self.limit), self.limit)

    def _state(self, track: Track, t: float) -> _VoteState:
        return self._states.setdefault(track.id, _VoteState(since=t, seen=t))

    def _large(self, track: Track) -> bool:
        return min(track.box.width, track.box.height) >= self.min_face

    def _waits(self, state: _VoteState, t: float) -> bool:
        if state.things == _LOOKS:
            return t - state.looked >= self.recheck_every
        settled = (
            state.mask is not Mask.UNSURE
            and state.unsure_from is None
            and state.evidence * _SIDE[state.mask] >= self.limit
        )
        return not settled or t - state.looked >= self.recheck_every
