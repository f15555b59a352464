"""Meaning of the class names in public data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge.core.errors import DataError
from edge.evaluation.annotated import FACE, IGNORE, INCORRECTLY_WORN, NAMES, NOT_A_FACE, WITH_MASK, WITHOUT_MASK

KNOWN = {
    WITH_MASK: "mask masked facemask withmask facewithmask withfacemask maskon wearingmask maskwearing wearmask "
    "maskworn maskworncorrectly correctmask correctlywornmask correctlyworn maskcorrect maskproper propermask "
    "withmaskcorrect",
    WITHOUT_MASK: "nomask nomasks withoutmask without unmasked maskoff facewithoutmask withoutfacemask nofacemask "
    "nonmask notmasked notwearingmask facenomask bareface bare maskless nomaskworn",
    INCORRECTLY_WORN: "maskwornincorrectly maskwearedincorrect maskwornincorrect incorrectmask incorrectlywornmask "
    "incorrectlyworn maskincorrect wrongmask maskwrong wronglyworn wornwrongly improperlyworn impropermask "
    "maskimproper badmask partialmask masknotproper wearingincorrectly incorrectwithmask withmaskincorrect "
    "improperly incorrect",
    NOT_A_FACE: "notface noface background",
    FACE: "face unknown faceunknown facemaskunknown",
}
"""Spellings found in public sets of mask pictures, in the form that `plain` gives."""


def plain(name: str) -> str:
    """`Mask_Weared-Incorrect` -> `maskwearedincorrect`."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


MEANT = {word: number for number, words in KNOWN.items() for word in words.split()}
MEANT |= {plain(name): number for name, number in NAMES.items()}


class Labels:
    """Maps the name of a class to its number in `NAMES`, or IGNORE."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        """`renamed`: a name in the data -> one of `NAMES`, or "ignore". Raises DataError for another."""
        self._renamed = {}
        for old, new in renamed.items():
            if new not in NAMES and new != "ignore":
                raise DataError(f"--label {old}={new}: expected one of {', '.join(NAMES)}, ignore")
            self._renamed[plain(old)] = NAMES.get(new, IGNORE)

    def number(self, name: str) -> int | None:
        """The number; None if the name is unknown."""
        word = plain(name)
        return self._renamed.get(word, MEANT.get(word))

    def require(self, name: str, where: str, boxes: int) -> int:
        """The number; raises DataError, which says what to do, if the name is unknown."""
        number = self.number(name)
        if number is None:
            name = name if len(name) <= 60 else f"{name[:60]}..."
            raise DataError(
                f"{where}: class '{name}' ({boxes} boxes) is unknown: expected {', '.join(NAMES)}; "
                f"say what it is with --label '{name}=with_mask' (or one of the others, or ignore)"
            )
        return number
