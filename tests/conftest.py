"""Small valid bundles for tests: real digests, known answers of zeros, no real network needed."""

import hashlib
import json
import os

import numpy as np
import pytest
from hypothesis import settings

from edge.decode import cells

# Machines differ in speed, and the same commit must give the same result wherever CI runs.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

WIDTH, HEIGHT = 64, 32


def values():
    count = len(cells(WIDTH, HEIGHT)[0])
    return {
        "schema_version": 1,
        "name": "test",
        "created": "2026-01-01",
        "licence": "Apache-2.0",
        "detector": {
            "input": {"width": WIDTH, "height": HEIGHT},
            "outputs": {"scores": [count, 1], "distances": [count, 4]},
            "files": {"tflite": "d.tflite"},
            "known_answer": "d.npz",
            "strides": [8, 16, 32],
            "score_threshold": 0.5,
            "overlap": 0.4,
        },
        "classifier": {
            "input": {"width": 32, "height": 32},
            "outputs": {"probabilities": [2]},
            "files": {"tflite": "c.tflite"},
            "known_answer": "c.npz",
            "labels": ["with_mask", "without_mask"],
            "margin": 0.1,
        },
    }


def write(folder, **changes):
    """A bundle in `folder`; `changes` replace top-level values, or are merged into the networks."""
    content = values()
    for key, change in changes.items():
        content[key] = {**content[key], **change} if isinstance(change, dict) and key in content else change
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("d.tflite", "c.tflite"):
        (folder / name).write_bytes(b"network " + name.encode())
    for network, file in (("detector", "d.npz"), ("classifier", "c.npz")):
        outputs = values()[network]["outputs"].items()
        shape = (HEIGHT, WIDTH, 3) if network == "detector" else (32, 32, 3)
        np.savez(folder / file, input=np.zeros(shape, np.uint8), **{k: np.zeros(s, np.float32) for k, s in outputs})
    if "files" not in changes:
        content["files"] = digests(folder)
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


def digests(folder):
    paths = [p for p in sorted(folder.iterdir()) if p.name != "bundle.json"]
    return {p.name: {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size} for p in paths}


@pytest.fixture
def write_bundle():
    """The function `write` above."""
    return write
