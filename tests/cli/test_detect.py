"""`maskcam detect` on a drawn scene, with the shipped networks."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("PIL", reason="needs the extra 'cpu'")

from edge import cli
from edge.core.errors import EngineError, MaskcamError
from edge.vision import masks

try:
    from edge.cameras.synthetic import SyntheticCamera

    CAMERA = SyntheticCamera(realtime=False)
except MaskcamError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    t = float(min(np.arange(0, 4, 0.1), key=lambda t: abs(CAMERA.face_at(t).height - 100)))
    bare, face = CAMERA.image_at(t), CAMERA.face_at(t)
    for name, image in (("bare", bare), ("masked", masks.draw(bare, face, np.random.default_rng(8)))):
        cv2.imwrite(str(folder / f"{name}.png"), image[..., ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((120, 160, 3), 130, np.uint8))
    return folder


@pytest.fixture
def detect(capsys):
    def call(*argv):
        try:
            code = cli.main(["detect", *map(str, argv)])
        except EngineError as error:
            pytest.skip(str(error))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_line_per_face_says_whether_it_wears_a_mask(detect, photos):
    code, out, _ = detect(photos)
    bare, masked, wall = out.splitlines()
    assert code == 0
    assert bare.startswith(f"{photos}/bare.png: no mask (")
    assert masked.startswith(f"{photos}/masked.png: mask (")
    assert wall == f"{photos}/wall.png: no face"


def test_json_and_annotated_copies(detect, photos, tmp_path):
    code, out, _ = detect(photos / "masked.png", "--json", "--out", tmp_path / "out")
    said = json.loads(out)
    assert (code, said["picture"], said["faces"][0]["mask"]) == (0, f"{photos}/masked.png", "on")
    drawn, plain = (cv2.imread(str(p)) for p in (tmp_path / "out" / "masked.png", photos / "masked.png"))
    assert drawn.shape == plain.shape
    assert (drawn != plain).any()


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(detect, photos, tmp_path):
    code, out, err = detect(tmp_path / "gone.jpg", photos / "wall.png")
    assert (code, out) == (0, f"{photos}/wall.png: no face\n")
    assert err == f"maskcam: skipped: {tmp_path}/gone.jpg: no such file\n"
    assert detect(tmp_path / "gone.jpg")[0] == 2


def test_a_file_name_moves_no_cursor(detect, photos, tmp_path):
    wall, cut = (tmp_path / f"{name}\x1b[2J.png" for name in ("wall", "cut"))
    wall.write_bytes((photos / "wall.png").read_bytes())
    cut.write_bytes(b"no picture")
    _, out, err = detect(wall, cut)
    assert out == f"{tmp_path}/wall\\x1b[2J.png: no face\n"
    assert f"{tmp_path}/cut\\x1b[2J.png: " in err
    assert "\x1b" not in err


def test_no_picture_is_written_over(detect, photos):
    before = {p: p.read_bytes() for p in photos.iterdir()}
    code, _, err = detect(photos, "--out", photos)
    assert (code, err.count("\n")) == (2, 1)
    assert "which is read; expected another folder" in err
    assert {p: p.read_bytes() for p in photos.iterdir()} == before


def test_pictures_of_one_name_become_two_and_nothing_that_is_there_goes(detect, photos, tmp_path):
    for name in ("a/1.png", "b/1.png", "b/1.webp"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "in" / name), cv2.imread(str(photos / "wall.png")))
    out = tmp_path / "out"
    assert detect(tmp_path / "in", "--out", out)[0] == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.*")) == ["a/1.png", "b/1.png.png", "b/1.webp.png"]
    code, _, err = detect(tmp_path / "in", "--out", out)
    assert (code, "is there already; expected another folder, or --overwrite" in err) == (2, True)
    assert detect(tmp_path / "in", "--out", out, "--overwrite")[0] == 0
    code, _, err = detect(tmp_path / "in/a/1.png", tmp_path / "in/b/1.png", "--out", tmp_path / "other")
    assert (code, (tmp_path / "other").exists()) == (2, False)
    assert "both would be" in err


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are Unix's")
def test_a_name_that_is_no_text_ends_no_long_job(photos, tmp_path):
    (tmp_path / os.fsdecode(b"\xff\x1b.png")).write_bytes((photos / "wall.png").read_bytes())
    command = [sys.executable, "-m", "edge", "detect", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert (done.returncode, done.stdout.count(b"no face")) == (0, 1), done.stderr
