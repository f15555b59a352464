"""configs/train/networks.mk: the stages from pictures to a bundle, each once, with commands that are understood."""

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import convert.cli
import train.cli

MAKE = shutil.which("make")
RECIPE = Path(__file__).parents[2] / "configs" / "train" / "networks.mk"
STAGES = ["settle", "settle", "detector", "bundle", "crops", "classifier", "bundle"]

pytestmark = pytest.mark.skipif(MAKE is None, reason="needs make")

FAKE = """#!{python}
# Takes the place of maskcam-train and maskcam-convert in a test: trains nothing, remembers what it was asked.
import pathlib, sys
stage, out = sys.argv[1], sys.argv[sys.argv.index("--workdir" if "--workdir" in sys.argv else "--out") + 1]
with open("{folder}/asked", "a") as asked:
    print(stage, file=asked)
if pathlib.Path("{folder}/broken").exists() and stage == "classifier":
    sys.exit("a fake of maskcam: broken on demand")
names = {{"bundle": "bundle.json", "crops": "crops.csv"}}
path = pathlib.Path(out) / names[stage] if stage in names else pathlib.Path(out)
if stage != "settle":
    path = path if stage in names else path / "network"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text("a fake of maskcam wrote this")
"""


@pytest.fixture
def make(tmp_path):
    """make(*arguments, left_out): runs the recipe on four files that are there."""
    for name in ("train.json", "val.json", "yunet.onnx", "rfb.onnx"):
        (tmp_path / name).touch()
    given = {"TRAIN": "train.json", "VAL": "val.json", "YUNET": "yunet.onnx", "RFB": "rfb.onnx"}

    def run(*more, left_out=""):
        said = [f"{key}={tmp_path / name}" for key, name in given.items() if key != left_out]
        command = [MAKE, "-f", str(RECIPE), *said, f"OUT={tmp_path / 'out'}", *more]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_every_stage_is_a_command_that_is_understood(make):
    said = make("-n", "CROPS=a.csv b.json", "TRUST=x y", "IMAGENET=w.h5").stdout.replace("\\\n", " ")
    commands = [shlex.split(line) for line in said.splitlines() if line.startswith("maskcam-")]
    assert [command[1] for command in commands] == STAGES
    programs = {"maskcam-train": train.cli, "maskcam-convert": convert.cli}
    parsed = [programs[program].parser().parse_args(arguments) for program, *arguments in commands]
    assert parsed[0].trust == ["x", "y"]
    assert [path.name for path in parsed[5].data] == ["a.csv", "b.json", "train.json", "val.json", "boxes"]
    assert parsed[5].weights == "w.h5"


def test_the_detector_may_have_a_command_of_its_own(make):
    said = make("-n", "MASKCAM_DETECTOR=other").stdout
    assert "other detector configs/train/detector.toml" in said
    assert "maskcam-train detector" not in said


@pytest.mark.parametrize("name", ["TRAIN", "VAL", "YUNET", "RFB"])
def test_what_is_not_given_is_named_before_anything_runs(make, name):
    done = make(left_out=name)
    assert done.returncode == 2
    assert f"{name} = '': expected one file that is there" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("given", ["nowhere.json", "train.json val.json"])
def test_one_file_is_expected_that_is_there(make, given):
    done = make(f"TRAIN={given}")
    assert done.returncode == 2
    assert f"TRAIN = '{given}': expected one file" in done.stderr
    assert not done.stdout


def test_what_is_finished_is_not_repeated(make, tmp_path):
    fake = tmp_path / "fake"
    fake.write_text(FAKE.format(python=sys.executable, folder=tmp_path))
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    commands = (f"MASKCAM_TRAIN={fake}", f"MASKCAM_CONVERT={fake}")
    (tmp_path / "broken").touch()
    assert "broken on demand" in make(*commands).stderr
    (tmp_path / "broken").unlink()
    assert make(*commands).returncode == 0
    assert (tmp_path / "asked").read_text().split() == [*STAGES[:6], *STAGES[5:]]
    assert "up to date" in make(*commands).stdout
