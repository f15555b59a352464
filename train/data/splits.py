"""Training and validation: whole clusters of near-duplicates go to one side, never single files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from train.data.dataset import Sample

LEFT_OUT = "left out"


def split(samples: Sequence[Sample], by: str, fraction: float, seed: int) -> list[Sample]:
    """Gives every sample a split; those that have one keep it.

    `by` "cluster": whole clusters go to one side, so no near-duplicate of a training picture is validated on;
    "random": file by file, as most tutorials do. Each label gives about `fraction` to validation.
    Sets with splits of their own can hold copies of one another: by cluster, training faces that have a copy
    in another set's validation part become `LEFT_OUT`. Within one set its own split is trusted: some sets give
    one cluster to a whole series of different people.
    """
    trusted = own_splits(samples)
    groups: dict[str, list[int]] = {}
    for i, s in enumerate(samples):
        if not s.split:
            key = str(s.path) if by == "random" or not s.cluster else s.cluster
            groups.setdefault(key, []).append(i)
    free = [samples[i] for members in groups.values() for i in members]
    room = {label: fraction * n for label, n in Counter(s.label for s in free).items()}
    result, keys = list(samples), sorted(groups)
    for k in np.random.default_rng(seed).permutation(len(keys)):
        members = groups[keys[k]]
        label = Counter(samples[i].label for i in members).most_common(1)[0][0]
        fits = len(members) <= room[label] + 0.5
        room[label] -= len(members) * fits
        for i in members:
            result[i] = replace(samples[i], split="val" if fits else "train")
    if by == "random":
        return result
    held = _folders(s for s in result if s.split == "val")
    return [replace(s, split=LEFT_OUT) if s.split == "train" and _meets(s, held, trusted) else s for s in result]


def own_splits(samples: Iterable[Sample]) -> set[Path]:
    """The folders of the pictures whose data says itself how it is split."""
    return {s.path.parent for s in samples if s.split}


def leaks(samples: Iterable[Sample], trusted: Collection[Path] = ()) -> int:
    """Validation files whose cluster also stands in the training part; within `trusted` folders that is no leak."""
    samples = list(samples)
    trained = _folders(s for s in samples if s.split == "train")
    return len({s.path for s in samples if s.split == "val" and _meets(s, trained, trusted)})


def _folders(samples: Iterable[Sample]) -> dict[str, set[Path]]:
    """Cluster -> folders of its pictures."""
    found: dict[str, set[Path]] = {}
    for s in samples:
        if s.cluster:
            found.setdefault(s.cluster, set()).add(s.path.parent)
    return found


def _meets(sample: Sample, others: dict[str, set[Path]], trusted: Collection[Path]) -> bool:
    """Whether a picture of the sample's cluster is among `others`, one that a trusted split set apart excepted."""
    own = {sample.path.parent}.intersection(trusted)
    return bool(others.get(sample.cluster, set()) - own)
