"""The whole of it offline: the shipped networks, the file of settings of a device, and the same events every time."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]


def replay(folder: Path, number: int) -> bytes:
    events = folder / f"events{number}.jsonl"
    argv = [sys.executable, "-m", "edge", "replay", "synthetic", "--config", str(HERE / "configs" / "pi.toml")]
    scene = ["camera.duration=5", "camera.fps=10", "camera.seed=1"]
    argv += [word for setting in scene for word in ("--set", setting)] + ["--events", str(events)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=HERE, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "sinks.gpio: left out of a replay" in done.stdout
    return events.read_bytes()


def test_the_same_recording_gives_the_same_file_of_events(tmp_path):
    pytest.importorskip("skimage", reason="scikit-image is not installed: the synthetic camera's portrait")
    if not any(find_spec(name) for name in ("ai_edge_litert", "tflite_runtime")):
        pytest.skip("no TFLite runtime is installed")
    first, second = replay(tmp_path, 1), replay(tmp_path, 2)
    assert first == second
    events = [json.loads(line) for line in first.splitlines()]
    assert {"decision", "no_mask"} <= {event["kind"] for event in events}
    assert [event["t"] for event in events] == sorted(event["t"] for event in events)
