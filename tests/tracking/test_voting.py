"""Votes, hysteresis and who is worth a look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import settings as defaults
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Track, Verdict
from edge.testing.defaults import with_defaults
from edge.tracking.voting import VotingJudge

VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)

ON, OFF, UNSURE = Mask.ON, Mask.OFF, Mask.UNSURE


def person(id: int = 1, size: float = 60.0) -> Track:
    return Track(id, Box(0, 0, size, size), 0.0, 1)


def watch(judge: VotingJudge, script, fps: float = 10.0, start: float = 0.0, track: Track | None = None):
    """Plays what the classifier would say of each frame; returns the frames looked at and the decisions."""
    track = track or person()
    looked, decisions = [], []
    for i, mask in enumerate(script):
        t = start + i / fps
        for due in judge.needs_classification([track], t):
            looked.append(i)
            judge.add_verdict(due, mask if isinstance(mask, Verdict) else Verdict(mask, 1.0), t)
        decisions += judge.decide([track], t)
    return looked, decisions


def states(decisions) -> list[Mask]:
    return [d.mask for d in decisions]


def test_unsure_until_min_votes():
    _, decisions = watch(VotingJudge(min_votes=3), [ON] * 4)
    assert states(decisions) == [UNSURE, UNSURE, ON, ON]
    assert [d.since for d in decisions] == [0.0, 0.0, 0.2, 0.2]


def test_unsure_verdicts_are_no_votes():
    judge = VotingJudge(min_votes=3)
    _, decisions = watch(judge, [UNSURE, OFF, UNSURE, OFF, UNSURE, OFF])
    assert states(decisions) == [UNSURE] * 5 + [OFF]


def test_one_wrong_frame_changes_nothing_and_five_do():
    judge = VotingJudge(threshold=1.0, limit=4.0, recheck_every=0.0)
    _, decisions = watch(judge, [ON] * 10 + [OFF] + [ON] * 5 + [OFF] * 5)
    assert states(decisions)[2:20] == [ON] * 18
    assert states(decisions)[20] is OFF
    assert decisions[20].since == 2.0


def test_a_flip_takes_limit_plus_threshold_votes():
    judge = VotingJudge(threshold=2.0, limit=5.0, recheck_every=0.0)
    _, decisions = watch(judge, [OFF] * 20 + [ON] * 10)
    assert states(decisions).index(ON) == 20 + 5 + 2 - 1


def test_timid_votes_weigh_less():
    timid = [Verdict(ON, 0.6)] * 20  # 0.2 of a vote each
    _, decisions = watch(VotingJudge(min_votes=3, threshold=1.5), timid)
    assert states(decisions).index(ON) == 7


def test_a_settled_track_is_looked_at_every_half_second():
    looked, _ = watch(VotingJudge(limit=4.0, recheck_every=0.5), [ON] * 21)
    assert looked == [0, 1, 2, 3, 8, 13, 18]


def test_a_contradiction_brings_back_every_frame():
    judge = VotingJudge(limit=4.0, threshold=1.0, recheck_every=0.5)
    looked, decisions = watch(judge, [ON] * 5 + [OFF] * 20)
    assert looked[:9] == [0, 1, 2, 3, 8, 9, 10, 11, 12]
    assert states(decisions).index(OFF) == 12


def test_small_faces_are_never_judged():
    judge = VotingJudge(min_face=20.0)
    assert judge.needs_classification([person(1, 19.9), person(2, 20.0)], 0.0) == [person(2, 20.0)]
    assert states(judge.decide([person(1, 19.9)], 0.0)) == [UNSURE]


def test_a_row_of_unsure_gives_the_decision_up():
    judge = VotingJudge(doubt_after=1.0)
    _, decisions = watch(judge, [OFF] * 5 + [UNSURE] * 20)
    flipped = states(decisions).index(UNSURE, 5)
    assert states(decisions)[2:flipped] == [OFF] * (flipped - 2)
    assert decisions[flipped].since == flipped / 10
    assert states(decisions)[flipped:] == [UNSURE] * (25 - flipped)


def test_a_single_vote_ends_the_row_of_unsure():
    judge = VotingJudge(doubt_after=1.0, recheck_every=0.0)
    _, decisions = watch(judge, [OFF] * 5 + ([UNSURE] * 9 + [OFF]) * 4)
    assert set(states(decisions)[2:]) == {OFF}


def test_the_gone_are_forgotten():
    judge = VotingJudge(forget_after=1.0)
    watch(judge, [ON] * 5)
    judge.decide([person(2)], 1.4)
    assert states(judge.decide([person(1)], 1.4)) == [ON]
    judge.decide([person(2)], 2.5)
    assert states(judge.decide([person(1)], 2.5)) == [UNSURE]


def test_tracks_do_not_mix():
    judge = VotingJudge()
    for i in range(5):
        judge.add_verdict(person(1), Verdict(ON, 0.9), i / 10)
        judge.add_verdict(person(2), Verdict(OFF, 0.9), i / 10)
    decisions = judge.decide([person(2), person(1)], 0.5)
    assert [(d.track_id, d.mask) for d in decisions] == [(2, OFF), (1, ON)]


@pytest.mark.parametrize(("script", "expected"), [([], 0.5), ([ON] * 9, 1.0), ([ON] * 9 + [OFF] * 2, 0.75)])
def test_confidence_is_the_share_of_the_evidence(script, expected):
    judge = VotingJudge(limit=4.0, recheck_every=0.0)
    watch(judge, script)
    assert judge.decide([person()], 1.2)[0].confidence == pytest.approx(expected)


verdicts = st.builds(Verdict, st.sampled_from(list(Mask)), st.floats(0.5, 1.0))


@given(st.lists(verdicts, max_size=60))
def test_properties_of_every_row_of_verdicts(row):
    """The same row gives the same decisions; nobody is judged before `min_votes`, nor found what no verdict said;
    a state is entered by a vote for it; confidence and `since` stay in range.
    """
    first, second = VotingJudge(min_votes=3), VotingJudge(min_votes=3)
    looked, decisions = watch(first, row)
    assert watch(second, row) == (looked, decisions)
    for i, decision in enumerate(decisions):
        heard = [row[j].mask for j in looked if j <= i and row[j].mask is not UNSURE]
        assert 0.0 <= decision.confidence <= 1.0
        assert decision.since <= i / 10
        assert decision.mask is UNSURE or (len(heard) >= 3 and decision.mask in heard)
        if i and decision.mask is not decisions[i - 1].mask:
            assert decision.mask is UNSURE or decision.mask is heard[-1]


def test_a_toss_up_for_the_other_side_does_not_complete_a_decision():
    judge, track = VotingJudge(min_votes=3), Track(1, Box(0, 0, 50, 50), 0.0, 1)
    for k, (mask, confidence) in enumerate([(Mask.OFF, 1.0), (Mask.OFF, 1.0), (Mask.ON, 0.5)]):
        judge.add_verdict(track, Verdict(mask, confidence), k / 10)
    assert judge.decide([track], 0.2)[0].mask is Mask.UNSURE
    judge.add_verdict(track, Verdict(Mask.OFF, 1.0), 0.3)
    assert judge.decide([track], 0.3)[0].mask is Mask.OFF


def wrongly(confidence: float = 1.0) -> Verdict:
    return Verdict(OFF, confidence, incorrectly_worn=True)


def test_a_mask_worn_wrongly_is_off_and_told_apart_by_most_of_the_votes():
    _, decisions = watch(VotingJudge(recheck_every=0.0), [wrongly()] * 4 + [OFF] * 3 + [OFF] * 3)
    assert states(decisions)[2:] == [OFF] * 8
    assert [d.incorrectly_worn for d in decisions] == [False] * 2 + [True] * 6 + [False] * 2


def test_only_off_is_worn_wrongly():
    _, decisions = watch(VotingJudge(recheck_every=0.0, limit=2.0), [wrongly()] * 5 + [ON] * 5 + [UNSURE] * 40)
    for decision in decisions:
        assert decision.mask is OFF or not decision.incorrectly_worn
    assert {d.mask for d in decisions} == {ON, OFF, UNSURE}


def test_after_doubt_it_is_forgotten_in_which_way():
    judge = VotingJudge(doubt_after=1.0, recheck_every=0.0)
    _, decisions = watch(judge, [wrongly()] * 10 + [UNSURE] * 15 + [OFF] * 3)
    assert (decisions[-1].mask, decisions[-1].incorrectly_worn) == (OFF, False)


@given(st.lists(verdicts, max_size=60), st.sampled_from([5.0, 10.0, 30.0]))
def test_unsure_verdicts_alone_or_in_between_never_bring_off(row, fps):
    """Without a vote for OFF nobody is OFF, however many UNSURE there are; and they add no votes to those there are."""
    without = [v for v in row if v.mask is not OFF]
    _, decisions = watch(VotingJudge(), without, fps)
    assert OFF not in states(decisions)
    patient = {"doubt_after": 1e9, "recheck_every": 0.0}
    _, mixed = watch(VotingJudge(**patient), [v for pair in zip(row, [UNSURE] * len(row), strict=True) for v in pair])
    _, pure = watch(VotingJudge(**patient), [v for v in row if v.mask is not UNSURE])
    last = mixed[-1].mask if mixed else UNSURE
    assert last is (pure[-1].mask if pure else UNSURE)


THING = Verdict(UNSURE, 0.9, not_a_face=True)


def things(decisions) -> list[bool]:
    return [d.not_a_face for d in decisions]


def test_what_is_no_face_is_said_after_as_many_looks_as_anything_else():
    _, decisions = watch(VotingJudge(min_votes=3), [THING] * 4)
    assert things(decisions) == [False, False, True, True]
    assert states(decisions) == [UNSURE] * 4
    assert decisions[-1].confidence == 1.0
    assert decisions[-1].outcome == "not_a_face"


def test_a_wheel_that_is_a_face_now_and_then_is_never_off():
    _, decisions = watch(VotingJudge(), [THING, OFF, THING, THING, OFF] * 12)
    assert states(decisions) == [UNSURE] * 60
    assert things(decisions)[9:] == [True] * 51


def test_a_single_veto_takes_no_vote_from_a_person():
    _, decisions = watch(VotingJudge(recheck_every=0.0), [OFF] * 6 + [THING] * 2 + [OFF] * 4)
    assert states(decisions)[2:] == [OFF] * 10
    assert not any(things(decisions))


def test_a_person_who_turns_away_is_nobody_and_must_convince_anew():
    _, decisions = watch(VotingJudge(recheck_every=0.0), [OFF] * 9 + [THING] * 9 + [OFF] * 9)
    assert states(decisions)[12] is OFF
    assert states(decisions)[13:18] == [UNSURE] * 5
    assert states(decisions)[18:22] == [UNSURE] * 4, "most of the last looks are still things"
    assert (states(decisions)[-1], things(decisions)[-1]) == (OFF, False)


def test_a_settled_thing_is_looked_at_now_and_then():
    looked, _ = watch(VotingJudge(recheck_every=0.5), [THING] * 30)
    assert looked[:9] == list(range(9))
    assert len(looked) < 16


def test_a_settled_thing_is_looked_at_at_the_very_second():
    looked, _ = watch(VotingJudge(recheck_every=0.5), [THING] * 14, fps=2.0)
    assert looked == list(range(14))


def test_one_look_is_enough_for_a_still_picture():
    _, decisions = watch(VotingJudge(min_votes=1, threshold=0.0, limit=1.0), [THING])
    assert decisions[0].not_a_face


@given(st.lists(st.sampled_from([ON, OFF, UNSURE, wrongly(), THING]), max_size=60))
def test_nobody_is_anything_else(row):
    _, decisions = watch(VotingJudge(), row)
    for d in decisions:
        assert d.mask is UNSURE or not d.not_a_face
        assert d.mask is OFF or not d.incorrectly_worn


def test_what_is_known_of_a_track_begins_with_its_first_frame_whoever_asks_first():
    judge = VotingJudge()
    assert judge.decide([person(7)], 5.0)[0].since == 5.0
    judge.add_verdict(person(8), Verdict(UNSURE, 0.5), 6.0)
    assert judge.decide([person(8)], 7.0)[0].since == 6.0


def test_a_person_who_becomes_a_thing_is_that_person_still_and_since_then():
    _, decisions = watch(VotingJudge(recheck_every=0.0), [OFF] * 9 + [THING] * 9, track=person(7))
    last = decisions[-1]
    assert (last.track_id, last.not_a_face) == (7, True)
    assert last.since == 1.3  # most of the last looks were things from then on
    assert {d.track_id for d in decisions} == {7}


def test_the_decision_is_dropped_at_the_very_second():
    judge = VotingJudge(recheck_every=0.0, doubt_after=1.0)
    _, decisions = watch(judge, [ON] * 4 + [UNSURE] * 3, fps=2.0)
    assert states(decisions) == [UNSURE, UNSURE, ON, ON, ON, ON, UNSURE]


def test_votes_are_kept_for_as_long_as_the_track_may_be_gone():
    judge = VotingJudge(forget_after=1.0)
    watch(judge, [ON] * 8)
    assert states(judge.decide([person(2)], 1.7)) == [UNSURE]
    assert states(judge.decide([person()], 1.7)) == [ON]
    judge.decide([person(2)], 2.75)
    assert states(judge.decide([person()], 2.75)) == [UNSURE]


def test_one_who_convinces_nobody_any_more_and_leaves_is_forgotten():
    judge = VotingJudge(doubt_after=0.0)
    watch(judge, [ON] * 5)
    judge.add_verdict(person(), Verdict(UNSURE, 0.5), 0.5)
    assert judge.decide([], 0.5) == []
    assert states(judge.decide([person()], 1.0)) == [UNSURE]
    assert judge.decide([], 9.0) == []


def test_votes_against_a_decision_that_still_stands_leave_little_confidence():
    judge = VotingJudge(recheck_every=0.0, threshold=3.0, limit=4.0)
    _, decisions = watch(judge, [ON] * 4 + [OFF] * 6)
    assert states(decisions)[-1] is ON
    assert decisions[-1].confidence == 0.25  # two votes beyond none


def test_how_surely_it_is_a_face_is_the_mean_of_the_last_looks():
    judge = VotingJudge(recheck_every=0.0)
    _, decisions = watch(judge, [Verdict(OFF, 1.0, face=0.2), Verdict(OFF, 1.0, face=0.6)])
    assert [d.face for d in decisions] == pytest.approx([0.2, 0.4])
    _, decisions = watch(judge, [Verdict(OFF, 1.0, face=0.9)] * 9, start=0.2)
    assert decisions[-1].face == pytest.approx(0.9)


def test_a_rejected_look_counts_too_and_stays_known_when_votes_are_dropped():
    rejected = Verdict(UNSURE, 0.9, not_a_face=True, face=0.1)
    _, decisions = watch(VotingJudge(recheck_every=0.0), [Verdict(OFF, 1.0, face=0.7), rejected, rejected])
    assert decisions[-1].not_a_face
    assert decisions[-1].face == pytest.approx(0.3)


def test_a_track_that_was_never_looked_at_counts_as_a_face():
    assert VotingJudge(min_face=200.0).decide([person()], 0.0)[0].face == 1.0
