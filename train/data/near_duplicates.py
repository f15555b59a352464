"""Near-duplicates by perceptual hash: copies of one picture must not stand on both sides of a split.

The hash is the 64-bit DCT hash of ImageHash (`phash`). Two faces belong together when the hash of one and of
any view of the other (itself, turned by up to 20 degrees, mirrored) differ in at most `distance` bits; clusters
are the connected components of that relation. Copies that were sheared or cut far are not found: read a count
of leaks as a lower bound. The cost of the views: portraits of one composition can end in one cluster, which
errs to the safe side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from edge.core.records import Image
from edge.vision.preprocess import crop
from train.data.dataset import Patch

Array = NDArray[Any]
TURNS = (0, -20, -10, 10, 20)
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
    return turned + [np.ascontiguousarray(view[:, ::-1]) for view in turned]


def fingerprints(patches: Sequence[Patch]) -> Array:
    """Hashes of all views of the faces: uint64 (N, V), the face itself in column 0."""
    faces = [crop(p.image, p.box, 64, 64, 0.1) for p in patches]
    hashes = [[fingerprint(view) for view in views(face)] for face in faces]
    return np.array(hashes, np.uint64).reshape(-1, 2 * len(TURNS))


def near(a: Array, b: Array, distance: int) -> tuple[Array, Array]:
    """Indices (i, j) of all pairs of uint64 hashes `a` (N,), `b` (M,) at most `distance` bits apart."""
    rows, columns = [np.zeros(0, int)], [np.zeros(0, int)]
    step = max(1, 4_000_000 // max(len(b), 1))
    for start in range(0, len(a), step):
        differing = (a[start : start + step, None] ^ b[None]).view(np.uint16).reshape(-1, len(b), 4)
        i, j = np.nonzero(BITS[differing].sum(-1, dtype=np.uint8) <= distance)
        rows.append(i + start)
        columns.append(j)
    return np.concatenate(rows), np.concatenate(columns)


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
