"""Nothing can be written, not in /tmp either: a card that the kernel has remounted read-only. TEST_FAULTS=1."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In a mount namespace of its own, so this machine's file systems stay as they are.
ENTER = """
mount --make-rprivate /
for folder in /tmp /var/tmp /dev/shm /home /run; do
    mount --bind $folder $folder && mount -o remount,ro,bind $folder
done
mount -o remount,ro,bind /
for folder in / /tmp /var/tmp /dev/shm /run "$HOME"; do
    ! touch $folder/written 2>/dev/null || exit 99
done
cd / && exec "$@"
"""
PICTURE = str(ROOT / "docs" / "pictures" / "demo.jpg")
pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_FAULTS"), reason="minutes: make test-faults"),
    pytest.mark.skipif(not shutil.which("unshare") or os.geteuid() != 0, reason="needs Linux and root"),
]


def read_only(*arguments):
    """Exit code and output of maskcam."""
    command = ["unshare", "--mount", "sh", "-c", ENTER, "sh", sys.executable, "-m", "edge", *arguments]
    environ = os.environ | {"HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}
    environ.pop("TMPDIR", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300)
    said = done.stdout + done.stderr
    print(said)
    assert done.returncode != 99, "something can be written: the test proves nothing"
    assert "Traceback" not in said
    return done.returncode, said


@pytest.mark.fault("nothing can be written", "read-only root, /tmp and home", "said, or nothing", "-")
@pytest.mark.parametrize(
    ("command", "codes"),
    [
        ("run --source synthetic --duration 3 --set web.port=18765 --set sinks.history.every=1", (0,)),
        ("benchmark --seconds 1", (0,)),
        ("backends", (0,)),
        ("doctor", (0, 1)),
        (f"replay {PICTURE} --events -", (0,)),
    ],
)
def test_what_needs_no_file_works(command, codes):
    pytest.importorskip("skimage", reason="the synthetic camera needs the extra 'demo'")
    code, said = read_only(*command.split())
    assert code in codes
    if command.startswith("run"):
        assert "settings cannot be changed on the page: no folder for temporary files can be made" in said
        assert "history.db' cannot be opened" in said
        assert int(re.search(r"^(\d+) frames", said, re.MULTILINE)[1]) > 0


@pytest.mark.fault("nothing can be written", "read-only root, /tmp and home", "said, or nothing", "-")
@pytest.mark.parametrize("command", [f"replay {PICTURE} --out /out.mp4", "support", "run --sheet /sheet.png"])
def test_what_is_to_be_a_file_is_refused_at_once(command):
    code, said = read_only(*command.split())
    assert code == 2
    assert re.fullmatch(r"maskcam: error: output '.*': folder '/' cannot be written: expected another one\n", said)
