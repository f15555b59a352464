"""Near-duplicates by perceptual hash: copies of one picture must not stand on both sides of a split.

The hash is the 64-bit DCT hash of ImageHash (`phash`). Two faces belong together when the hash of one and of
any view of the other (itself, turned by up to 20 degrees, mirrored) differ in at most `distance` bits; clusters
are the connected components of that relation. Copies that were sheared or cut far are not found: read a count
of leaks as a lower bound. The cost of the views: portraits of one composition can end in one cluster, which
errs to the safe side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from edge.core.progress import track
from edge.core.records import Image
from edge.vision.preprocess import crop
from train.data.dataset import Patch

Array = NDArray[Any]
TURNS = (0, -20, -10, 10, 20)
BANDS, KEYS = 4, 1 << 16
"""Of a hash, and values of each."""
AT_ONCE = 4_000_000
"""Pairs that are compared at a time: what bounds the memory."""
BITS = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)


def fingerprint(image: Image) -> int:
    """64-bit perceptual hash of an RGB picture."""
    return int(str(imagehash.phash(Pictures.fromarray(image))), 16)


def views(face: Image) -> list[Image]:
    """The face itself first, then as an augmented copy may show it: turned and mirrored."""
    size = face.shape[0]
    turned = []
    for degrees in TURNS:
        matrix = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1)
        turned.append(cv2.warpAffine(face, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE))
    return turned + [np.ascontiguousarray(view[:, ::-1]) for view in turned]  # type: ignore[return-value]


def fingerprints(patches: Sequence[Patch]) -> Array:
    """Hashes of all views of the faces: uint64 (N, V), the face itself in column 0."""
    each = track(patches, "near-duplicates", unit="faces")
    hashes = [[fingerprint(view) for view in views(crop(p.image, p.box, 64, 64, 0.1))] for p in each]
    return np.array(hashes, np.uint64).reshape(-1, 2 * len(TURNS))


def near(a: Array, b: Array, distance: int) -> tuple[Array, Array]:
    """Indices (i, j) of all pairs of uint64 hashes `a` (N,), `b` (M,) at most `distance` bits apart.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012, doi 10.1109/CVPR.2012.6248043): of four bands of 16 bits one
    differs in at most a quarter of `distance`, so only hashes that share nearly all of a band are compared. Every pair
    is found.
    """
    rows, columns = [np.zeros(0, int)], [np.zeros(0, int)]
    for band in range(BANDS):
        mine, theirs = _band(a, band), _band(b, band)
        order = np.argsort(theirs, kind="stable")
        starts = np.searchsorted(theirs[order], np.arange(KEYS + 1))
        for mask in _masks(distance // BANDS):
            for i, j in _pairs(mine ^ mask, order, starts):
                close = _bits(a[i] ^ b[j]) <= distance
                # A pair belongs to the first band that finds it.
                first = np.ones(len(i), bool)
                for before in range(band):
                    apart = _bits((_band(a[i], before) ^ _band(b[j], before)).astype(np.uint64))
                    first &= apart > distance // BANDS
                rows.append(i[close & first])
                columns.append(j[close & first])
    i, j = np.concatenate(rows), np.concatenate(columns)
    sorted_by = np.lexsort((j, i))
    return i[sorted_by], j[sorted_by]


def _band(hashes: Array, number: int) -> Array:
    return ((hashes >> np.uint64(16 * number)) & np.uint64(KEYS - 1)).astype(np.int64)


def _masks(most: int) -> list[int]:
    """All ways to change at most `most` of the bits of a band."""
    return [sum(1 << bit for bit in bits) for n in range(most + 1) for bits in combinations(range(16), n)]


def _pairs(wanted: Array, order: Array, starts: Array) -> Iterator[tuple[Array, Array]]:
    """Indices (i, j) of candidates: `order` holds the others by band, `starts` where each value begins there."""
    counts = starts[wanted + 1] - starts[wanted]
    total = np.cumsum(counts)
    begin = 0
    while begin < len(wanted):
        end = max(int(np.searchsorted(total, (total[begin - 1] if begin else 0) + AT_ONCE)), begin + 1)
        some = counts[begin:end]
        i = np.repeat(np.arange(begin, end), some)
        offset = np.arange(len(i)) - np.repeat(np.cumsum(some) - some, some)
        yield i, order[np.repeat(starts[wanted[begin:end]], some) + offset]
        begin = end


def _bits(values: Array) -> Array:
    """How many bits are set: of uint64 (N,)."""
    if hasattr(np, "bitwise_count"):  # NumPy 2
        return np.bitwise_count(values)
    table: Array = BITS[values.view(np.uint16).reshape(-1, 4)].sum(-1, dtype=np.uint8)
    return table


def alike(hashes: Array, others: Array, distance: int) -> tuple[Array, Array]:
    """Indices (i, j) of rows of `hashes` (N, V) that are near to any view of rows of `others` (M, V)."""
    pairs = [near(hashes[:, 0], others[:, view], distance) for view in range(others.shape[1])]
    return np.concatenate([i for i, _ in pairs]), np.concatenate([j for _, j in pairs])


def components(hashes: Array, distance: int) -> Array:
    """Cluster number of each row of `hashes` (N, V): int (N,)."""
    i, j = alike(hashes, hashes, distance)
    links = coo_array((np.ones(len(i), bool), (i, j)), shape=(len(hashes), len(hashes)))
    labels: Array = connected_components(links, directed=False)[1]
    return labels


def assign(patches: Sequence[Patch], distance: int) -> list[Patch]:
    """Gives a cluster to every patch that has none; those that have one keep it."""
    unknown = [k for k, p in enumerate(patches) if not p.sample.cluster]
    numbers = components(fingerprints([patches[k] for k in unknown]), distance)
    result = list(patches)
    for k, number in zip(unknown, numbers, strict=True):
        result[k] = replace(patches[k], sample=replace(patches[k].sample, cluster=f"phash-{number}"))
    return result


def copied(patches: Sequence[Patch], originals: Sequence[Patch], distance: int) -> list[int]:
    """Indices of those `patches` that are near-duplicates of one of `originals`."""
    found: list[int] = np.unique(alike(fingerprints(patches), fingerprints(originals), distance)[0]).tolist()
    return found


def copies(patches: Sequence[Patch], originals: Sequence[Patch], distance: int) -> int:
    """How many those are."""
    return len(copied(patches, originals, distance))
