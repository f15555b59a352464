"""The commands end to end: real files, real detector, tracker and decision code, and a bundle whose networks are
played by the scripted engine: it always finds one bare face in the middle of the picture.
"""

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli import main

SHARED_CLIP = Path(__file__).parents[3] / "shared" / "data" / "clip" / "street.mp4"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    logits = np.full((4, 1), -9.0, np.float32)
    logits[3] = 5.0  # the cell around (48, 48) of the 64 x 64 input
    distances = np.full((4, 4), 0.3, np.float32)  # 19 pixels to each side
    answers = {
        "detector": {"logits": logits, "distances": distances},
        "classifier": {"labels": np.float32([0.04, 0.96])},
    }
    networks, digests = {}, {}
    for network, side in (("detector", 64), ("classifier", 32)):
        image = np.zeros((side, side, 3), np.uint8)
        np.savez(folder / f"{network}.npz", input=image, **answers[network])
        (folder / f"{network}.tflite").write_bytes(b"never read by the scripted engine")
        networks[network] = {
            "input": {"width": side, "height": side},
            "outputs": {name: list(a.shape) for name, a in answers[network].items()},
            "files": {"tflite": f"{network}.tflite"},
            "known_answer": f"{network}.npz",
        }
    for path in folder.iterdir():
        digests[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    text = {
        "schema_version": 1,
        "name": "scripted",
        "created": "2026-01-01",
        "licence": "Apache-2.0",
        "detector": networks["detector"] | {"strides": [32], "score_threshold": 0.5, "overlap": 0.4},
        "classifier": networks["classifier"] | {"labels": ["with_mask", "without_mask"], "margin": 0.2},
        "files": digests,
    }
    (folder / "bundle.json").write_text(json.dumps(text))
    return folder


def squares(shade) -> np.ndarray:
    """A grey picture, 128 x 128, with something to see in it."""
    light = np.indices((128, 128)).sum(0) // 32 % 2
    return np.repeat((shade + 50 * light)[..., None], 3, axis=2).astype(np.uint8)


def film(path, pictures) -> Path:
    """A video of 20 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (128, 128))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """40 frames, so small that the face is 77 pixels wide."""
    return film(tmp_path_factory.mktemp("clip") / "clip.mp4", [squares(5 * i) for i in range(40)])


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        cv2.imwrite(str(folder / name), squares(90))
    data = (folder / "b.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(data[: len(data) // 2])
    return folder


@pytest.fixture
def maskcam(bundle, capsys):
    """Runs a command on the scripted bundle; returns exit code, output and errors."""

    def run(*argv) -> tuple[int, str, str]:
        scripted = [f"model.bundle={bundle}", "backend.detector=scripted", "backend.classifier=scripted"]
        code = main([str(a) for a in argv] + [word for s in scripted for word in ("--set", s)])
        return code, *capsys.readouterr()

    return run


def test_a_video_becomes_events_an_annotated_video_and_a_sheet(maskcam, clip, tmp_path):
    out, events, sheet = tmp_path / "out.mp4", tmp_path / "e.jsonl", tmp_path / "sheet.png"
    events.write_text("old\n")
    code, said, _ = maskcam("replay", clip, "--out", out, "--events", events, "--sheet", sheet, "--overwrite")
    assert code == 0
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [(e["kind"], e["mask"]) for e in told] == [("decision", "off"), ("no_mask", "off")]
    assert [e["t"] for e in told] == pytest.approx([0.1, 1.1], abs=0.11)
    video = cv2.VideoCapture(str(out))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    _, first = video.read()
    assert np.ptp(first, axis=2).max() > 100  # the frame itself is grey
    assert cv2.imread(str(sheet)).shape[1] == 1280
    assert "40 frames" in said.splitlines()[-1]
    assert "1 people seen, 1 decisions, 1 alerts" in said.splitlines()[-1]
    assert any(line.startswith("classify") for line in said.splitlines())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.jsonl", "out.mp4", "sheet.png"]


def test_false_alerts_of_a_labelled_recording_are_shown_on_a_sheet(maskcam, clip, tmp_path):
    labels, sheet = tmp_path / "clip.toml", tmp_path / "false.png"
    person = '[[person]]\nname = "Ada"\noutcome = "{}"\nboxes = [[0.0, 60, 60, 128, 128], [1.9, 60, 60, 128, 128]]\n'
    argv = ["clips", labels, "--folder", clip.parent, "--sheet", sheet]
    labels.write_text('clip = "clip.mp4"\n' + person.format("on"))
    code, said, errors = maskcam(*argv)
    assert code == 0
    assert "alarmed falsely: Ada" in said
    assert errors.endswith("a picture of each false alert, 1 in all\n")
    picture = cv2.imread(str(sheet))
    assert picture.shape[1] == 1280
    assert np.ptp(picture, axis=2).max() > 100  # the red bar of the alert: the frame itself is grey
    assert maskcam(*argv)[0] == 2  # it is there already
    labels.write_text('clip = "clip.mp4"\n' + person.format("off"))
    code, said, errors = maskcam(*argv, "--overwrite")
    assert (code, sheet.exists()) == (0, False)
    assert errors.endswith(f"no false alert: no '{sheet}'\n")


def test_an_annotated_video_plays_at_the_rate_of_its_source(maskcam, clip, tmp_path):
    assert maskcam("replay", clip, "--out", tmp_path / "out.mp4")[0] == 0
    assert cv2.VideoCapture(str(tmp_path / "out.mp4")).get(cv2.CAP_PROP_FPS) == 20.0


def test_pictures_are_judged_one_by_one_and_a_damaged_one_is_skipped(maskcam, photos, tmp_path):
    code, said, _ = maskcam("replay", photos, "--out", tmp_path / "out")
    assert code == 0
    assert "2 frames" in said
    assert "2 people seen, 2 decisions" in said
    assert "1 skipped" in said.splitlines()[-1]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_pictures_of_a_set_have_their_name_in_every_line_and_event_and_raise_no_alert(maskcam, photos, tmp_path):
    cv2.imwrite(str(photos / "d.jpg"), np.zeros((128, 128, 3), np.uint8))
    events = tmp_path / "e.jsonl"
    _, said, _ = maskcam("replay", photos, "--events", events, "--set", "detector.min_face=100")
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [(e["kind"], Path(e["file"]).name, e.get("mask"), e.get("state")) for e in told] == [
        ("decision", "a.jpg", "unsure", None),  # too small to be judged, and listed
        ("decision", "c.jpg", "unsure", None),
        ("state", "d.jpg", None, "blind"),
    ]
    assert [(e["time"], e["id"], e["bundle"]) for e in told[:1]] == [(None, "0-1", "scripted 2026-01-01")]
    for name in ("a.jpg", "c.jpg", "d.jpg"):
        assert f"{photos / name}  " in said
    assert "alert" not in said.lower()


def test_darkness_is_not_judged_and_that_is_told_once(maskcam, tmp_path):
    black, events = np.zeros((128, 128, 3), np.uint8), tmp_path / "e.jsonl"
    clip = film(tmp_path / "night.mp4", [black] * 40 + [squares(90)] * 40)
    code, said, _ = maskcam("replay", clip, "--events", events, "--set", "visibility.hold=0.5")
    assert code == 0
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [(e["kind"], e.get("state") or e["mask"]) for e in told] == [
        ("state", "blind"),
        ("state", "ok"),
        ("decision", "off"),
        ("no_mask", "off"),
    ]
    assert [e["t"] for e in told] == pytest.approx([0.5, 2.5, 2.6, 3.6], abs=0.11)
    assert said.count("cannot judge, too dark") == 1
    assert "40 too dark or covered" in said.splitlines()[-1]


def test_a_black_clip_gets_no_decision(maskcam, tmp_path):
    _, said, _ = maskcam("replay", film(tmp_path / "night.mp4", [np.zeros((128, 128, 3), np.uint8)] * 60))
    assert "cannot judge, too dark" in said
    assert "1 people seen, 0 decisions, 0 alerts" in said.splitlines()[-1]


def test_dark_pictures_among_others_are_judged_one_by_one(maskcam, photos):
    cv2.imwrite(str(photos / "b.jpg"), np.zeros((128, 128, 3), np.uint8))
    _, said, _ = maskcam("replay", photos)
    assert "2 decisions" in said.splitlines()[-1]
    assert "1 too dark or covered" in said.splitlines()[-1]
    assert said.count("cannot judge") == 1


def test_one_picture_becomes_one_picture(maskcam, photos, tmp_path):
    assert maskcam("replay", photos / "a.jpg", "--out", tmp_path / "out.png")[0] == 0
    assert cv2.imread(str(tmp_path / "out.png")).shape == (128, 128, 3)


def test_the_light_goes_on_and_is_put_out_at_the_end(maskcam, clip):
    _, said, _ = maskcam("replay", clip, "--set", "sinks.gpio.pin=4", "--set", "sinks.gpio.driver=mock")
    assert [line for line in said.splitlines() if line.startswith("LED")] == [
        "LED GPIO4 (mock, no pin): ON",
        "LED GPIO4 (mock, no pin): OFF",
    ]


def test_run_plays_a_video_in_real_time_until_its_time_is_up(maskcam, clip, tmp_path):
    code, said, _ = maskcam("run", "--source", clip, "--duration", "1.5", "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert 1 <= int(said.splitlines()[-1].split()[0]) <= 40
    assert (tmp_path / "sheet.png").exists()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("replay none.mp4 --overwrite --out out.mp4", "none.mp4: no such file or folder"),
        ("replay empty --overwrite --out out.mp4", "empty: no pictures there"),
        ("replay pointer.mp4 --overwrite --out out.mp4", "pointer.mp4: a Git-LFS pointer"),
        ("replay photos/b.jpg --overwrite --out out.png", "b.jpg: the picture is damaged or cut short"),
        ("replay clip.mp4 --out nowhere/out.mp4", "folder '{0}/nowhere' does not exist: create it first"),
        ("replay clip.mp4 --out nowhere/out", "folder '{0}/nowhere' does not exist: create it first"),
        ("replay clip.mp4 --out clip.mp4", "is the source itself"),
        ("replay clip.mp4 --events clip.mp4", "is the source itself"),
        ("replay clip.mp4 --out new.mp4 --events ./new.mp4", "is named twice: expected a file for each"),
        ("replay clip.mp4 --out out.gif", "expected a name that ends in .mp4 or .png"),
        ("replay clip.mp4 --overwrite --out out.png", "the source is not a picture: expected a name that ends in .mp4"),
        ("replay photos --overwrite --out out.png", "is one picture, the source has 3: expected a folder"),
        ("replay clip.mp4 --config none.toml --overwrite --out out.mp4", "none.toml: cannot be read"),
        ("run --source none.mp4", "none.mp4' does not exist: expected an index"),
        ("run --source photos", "is a folder, which maskcam replay reads"),
        ("run --source /dev/video99 --set camera.reopen=false", "camera '/dev/video99': does not exist"),
        ("benchmark clip.mp4 --set camera.widht=3", "did you mean 'camera.width'?"),
    ],
)
def test_bad_input_gets_one_line_and_code_2_and_overwrites_nothing(maskcam, clip, photos, argv, message, monkeypatch):
    folder = photos.parent
    (folder / "empty").mkdir()
    (folder / "pointer.mp4").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    shutil.copy(clip, folder / "clip.mp4")
    for name in ("out.mp4", "out.png"):
        (folder / name).write_bytes(b"precious")
    before = snapshot(folder)
    words = [
        w if w.startswith(("-", "/")) or i == 0 or "=" in w else str(folder / w) for i, w in enumerate(argv.split())
    ]
    code, _, errors = maskcam(*words)
    assert code == 2
    (line,) = errors.splitlines()
    assert line.startswith("maskcam: error: ")
    assert message.format(folder) in line
    assert snapshot(folder) == before


def test_a_damaged_bundle_gets_one_line(bundle, clip, tmp_path, capsys):
    broken = shutil.copytree(bundle, tmp_path / "broken")
    (broken / "detector.tflite").write_bytes(b"something else")
    assert main(["replay", str(clip), "--bundle", str(broken)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "detector.tflite: wrong digest" in line


@pytest.mark.skipif(not SHARED_CLIP.exists(), reason="the shared clip is not here")
def test_the_shipped_bundle_finds_people_in_the_street(tmp_path, capsys):
    from edge.vision import bundle

    if not bundle.shipped().exists():
        pytest.skip("no bundle is shipped yet")
    assert main(["replay", str(SHARED_CLIP), "--events", str(tmp_path / "e.jsonl")]) == 0
    assert (tmp_path / "e.jsonl").read_text()
