"""Whether a box is a face, by what both networks say of it.

The detector's score alone must be high before a box counts, since things are many. The classifier looks closer, and
knows things: with its doubt taken from the score, the score may be lower. On 171 held-out photos, of a source that
others were trained on, at 0.09 false alarms per picture 94 % of the masked faces are found in place of 90 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHT = 1.0
"""How much the log-odds of "not a face" count beside those of the score: a logistic regression on 40,000 boxes that the
detector finds in its training pictures says 1.0, and 0.7 to 1.4 hardly differ on held-out ones.
"""
NO_DOUBT = 2.5 / 256
"""Probability of "not a face" up to which the score stays as it is: two steps of an int8 output."""
_LEAST = 1e-4


def joint_score(score: Any, thing: Any, not_a_face: float) -> NDArray[np.float64]:
    """The score (0..1) of boxes with the classifier's doubt taken from it; never higher than the detector's.

    score, thing: probabilities 0..1 of the same shape: the detector's that it is a face, the classifier's that it is
    none. not_a_face: the setting of that name; above 0.5 the classifier counts for less, at 1 not at all.

    A product of experts (Hinton 2002, doi 10.1162/089976602760128018), the second one bounded.
    """
    if not_a_face >= 1:
        return np.asarray(score, np.float64)
    doubt = log_odds(thing) - log_odds(NO_DOUBT) - log_odds(not_a_face)
    result: NDArray[np.float64] = 1 / (1 + np.exp(WEIGHT * np.maximum(doubt, 0) - log_odds(score)))
    return result


def log_odds(probability: Any) -> NDArray[np.float64]:
    """Of probabilities 0..1; as if none were nearer to 0 or 1 than 0.0001."""
    p = np.clip(np.asarray(probability, np.float64), _LEAST, 1 - _LEAST)
    result: NDArray[np.float64] = np.log(p / (1 - p))
    return result
