"""Every data set that people have, given to every command that reads one: read, or refused in one line that helps.

The table of docs/your-own-pictures.md is this one. Pictures are drawn here; nothing is trained.
"""

import csv
import json
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("imagehash", reason="needs the extra 'train'")
pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

from edge import cli as device
from train import cli as workstation
from train.augmentation import drawn_faces, drawn_objects

pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations
WIDTH, HEIGHT = 160, 120
READ = "read"
DOCUMENT = Path(__file__).parents[2] / "docs/your-own-pictures.md"


def drawn(number):
    """A picture (H, W, 3) of one drawn person, and the box x0, y0, x1, y1."""
    rng = np.random.default_rng(number)
    image = drawn_objects.wall(WIDTH, HEIGHT, rng)
    box = drawn_faces.head(image, WIDTH / 2, HEIGHT / 2 - 10, 60, rng)
    x0, y0, x1, y1 = (round(float(v)) for v in (box.x0, box.y0, box.x1, box.y1))
    return image[..., ::-1], (max(x0, 0), max(y0, 0), min(x1, WIDTH), min(y1, HEIGHT))


MASKED = (True, False, True, False)
BOXES = [drawn(k)[1] for k in range(len(MASKED))]


def save(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), drawn(number)[0])
    return path


def folders(masked="with_mask", bare="without_mask", above="", below=""):
    def write(root):
        for k, on in enumerate(MASKED):
            part = ("train", "val")[k // 2]
            inside = (part if above else "", masked if on else bare, part if below else "")
            save(root.joinpath(*filter(None, inside)) / f"{k}.png", k)
        return root

    return write


def coco(file, pictures, name="{}.png", categories=("with_mask", "without_mask"), root=False):
    """`pictures`: folder of the pictures; `name`: what the file calls them; `root`: with Roboflow's root category."""

    def write(folder):
        listed = [{"id": 0, "name": "people", "supercategory": "none"}] if root else []
        listed += [{"id": k, "name": one, "supercategory": "people"} for k, one in enumerate(categories, 1)]
        images, annotations = [], []
        for k, on in enumerate(MASKED):
            save(folder / pictures / f"{k}.png", k)
            images.append({"id": k, "file_name": name.format(k), "width": WIDTH, "height": HEIGHT})
            x0, y0, x1, y1 = BOXES[k]
            box = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}
            annotations.append({"id": k, "image_id": k, "category_id": 1 + (not on) % len(categories), **box})
        content = {"images": images, "annotations": annotations, "categories": listed}
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(json.dumps(content))
        return folder

    return write


def voc(folder):
    for k, on in enumerate(MASKED):
        save(folder / "images" / f"{k}.png", k)
        x0, y0, x1, y1 = BOXES[k]
        text = (
            f"<annotation><filename>{k}.png</filename><size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
            f"<object><name>{'with_mask' if on else 'without_mask'}</name><difficult>0</difficult><bndbox>"
            f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object></annotation>"
        )
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / f"{k}.xml").write_text(text)
    return folder


def yolo(folder, listed=True):
    for k, on in enumerate(MASKED):
        save(folder / "train" / "images" / f"{k}.png", k)
        x0, y0, x1, y1 = BOXES[k]
        row = [(x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT]
        (folder / "train" / "labels").mkdir(exist_ok=True)
        (folder / "train" / "labels" / f"{k}.txt").write_text(f"{int(not on)} {' '.join(f'{v:.6f}' for v in row)}\n")
    if listed:
        (folder / "data.yaml").write_text("train: train/images\nnc: 2\nnames: [with_mask, without_mask]\n")
    return folder


def crops(folder):
    with (folder / "crops.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "x0", "y0", "x1", "y1"])
        for k, on in enumerate(MASKED):
            save(folder / "images" / f"{k}.png", k)
            table.writerow([f"{k}.png", "with_mask" if on else "without_mask", *BOXES[k]])
    return folder / "crops.csv"


def plain(folder):
    for k in range(len(MASKED)):
        save(folder / f"{k}.png", k)
    return folder


def beside(name, text):
    """Pictures, and a list of them that no command here knows."""

    def write(folder):
        plain(folder)
        (folder / name).write_text(text)
        return folder

    return write


def alone(name, text):
    def write(folder):
        (folder / name).write_text(text)
        return folder / name

    return write


FACES = "folders of faces say no boxes, and the detector learns boxes; expected COCO or VOC"
KNOWN = "expected a COCO .json, a crops.csv, a YOLO data.yaml, a folder of Pascal VOC .xml, or a folder per class"
LABELLED = "is labelled already, in another form than COCO: give it to --data as it is"
ONLY_COCO = "no COCO annotations (.json), which alone can be labelled here"
A_LIST = "a list of pictures, not one; name the folder of the pictures"
VIA = json.dumps({"0.png123": {"filename": "0.png", "regions": []}})
LABELME = json.dumps(
    {"version": "5.0", "shapes": [{"label": "mask", "points": [[1, 1], [9, 9]]}], "imagePath": "0.png"}
)
CVAT = "<annotations><image id='0' name='0.png' width='160' height='120'></image></annotations>"
VOC_ALONE = "<annotations>, no Pascal VOC; expected <annotation>, of CVAT an export as COCO"
FOLDERS = {"detector": FACES, "label": LABELLED}
"""What is refused of a set in which every picture is a face."""


def unknown(says, label=READ, replay=READ):
    """No data set, but mostly pictures: these can be played, and labelled here."""
    return dict.fromkeys(("inspect", "classifier", "detector", "bundle", "accuracy"), says) | {
        "label": label,
        "replay": replay,
    }


SETS = {
    "with_mask/, without_mask/": (folders(), FOLDERS),
    "WithMask/, WithoutMask/": (folders("WithMask", "WithoutMask"), FOLDERS),
    "mask/, no_mask/": (folders("mask", "no_mask"), FOLDERS),
    "train/, val/ above the classes": (folders(above=True), FOLDERS),
    "train/, val/ below the classes": (folders(below=True), FOLDERS),
    "COCO by Roboflow": (coco("train/_annotations.coco.json", "train", root=True), {}),
    "COCO by Label Studio": (coco("result.json", "images", "images\\{}.png"), {}),
    "COCO by CVAT": (coco("annotations/instances_default.json", "images"), {}),
    "COCO by makesense": (coco("labels_door.json", "pictures"), {}),
    "Pascal VOC": (voc, {"label": LABELLED}),
    "YOLO with data.yaml": (yolo, {"label": LABELLED}),
    "crops.csv": (crops, {"label": ONLY_COCO, "replay": A_LIST}),
    "YOLO without data.yaml": (lambda at: yolo(at, False), unknown("looks like YOLO (.txt per picture) without its")),
    "COCO of other classes": (
        coco("c.json", "images", categories=("helmet", "vest")),
        unknown("class 'helmet' (2 boxes) is unknown", "class 'helmet' (2 boxes) is unknown"),
    ),
    "folders of other classes": (folders("Maske", "ohne"), unknown(KNOWN)),
    "plain pictures": (plain, unknown(KNOWN)),
    "VGG Image Annotator's .json": (beside("via.json", VIA), unknown(KNOWN)),
    "LabelMe's .json": (beside("0.json", LABELME), unknown(KNOWN)),
    "CVAT's own .xml": (beside("annotations.xml", CVAT), unknown(VOC_ALONE, LABELLED)),
    "a .tfrecord": (alone("door.tfrecord", "x"), unknown(KNOWN, ONLY_COCO, "neither a picture nor a video")),
    "an empty folder": (lambda folder: folder, unknown(KNOWN, "no pictures in it", "no pictures there")),
    "a folder that is not there": (
        lambda folder: folder / "nowhere",
        unknown("no such file or folder", "no such file or folder", "no such file or folder"),
    ),
}
"""Name -> what writes it into a folder and says what to name, and what is said by the commands that refuse it."""


class Enough(Exception):
    """The data is read; what would come now takes long."""


def enough(*arguments, **named):
    raise Enough


def run(command, path, monkeypatch, faces=None):
    """0 where `command` reads `path`, else the exit code after an error. `faces`: a set to train on besides it."""
    from convert import cli as conversion
    from convert.bundle import contents
    from edge.vision import bundle
    from train.data import near_duplicates
    from train.fitting import loop
    from train.labelling import page

    work, config = str(path) + ".work", Path(__file__).parents[2] / "configs/train/detector.toml"
    if command in ("classifier", "tune"):
        monkeypatch.setattr(near_duplicates, "assign", enough)
    if command == "detector":
        monkeypatch.setattr(loop, "check", enough)
    if command == "bundle":
        monkeypatch.setattr(contents, "reports", enough)
    if command == "label":
        monkeypatch.setattr(page, "Guesses", enough)
    shipped = str(bundle.shipped())
    main, argv = {
        "inspect": (workstation.main, ["inspect", path]),
        "classifier": (workstation.main, ["classifier", "--data", path, "--data", faces or path, "--workdir", work]),
        "tune": (workstation.main, ["tune", "--data", path, "--start", shipped, "--workdir", work]),
        "detector": (workstation.main, ["detector", config, "--data", path, "--val", path, "--workdir", work]),
        "label": (workstation.main, ["label", path]),
        "bundle": (
            conversion.main,
            ["bundle", "--classifier", shipped, "--calibration", path, "--validation", path, "--out", work],
        ),
        "accuracy": (device.main, ["accuracy", path]),
        "replay": (device.main, ["replay", path]),
    }[command]
    with suppress(Enough):
        return main([str(part) for part in argv])
    return 0


COMMANDS = ("inspect", "classifier", "detector", "bundle", "accuracy", "label", "replay")


@pytest.mark.parametrize("name", SETS)
def test_it_is_read_or_refused_with_the_right_sentence(name, tmp_path, monkeypatch, capsys):
    write, refused = SETS[name]
    (tmp_path / "set").mkdir()
    path = write(tmp_path / "set")
    for command in COMMANDS:
        with monkeypatch.context() as patch:
            code = run(command, path, patch)
        said = capsys.readouterr().err.strip().splitlines()
        expected = refused.get(command, READ)
        if expected == READ:
            assert code == 0, (command, said)
        else:
            assert (code, expected in said[-1]) == (2, True), (command, said)
            assert str(path) in said[-1]
    assert not (tmp_path / "set.work").exists()


FALSE_ALARMS = "no face is annotated, only 4 of not_a_face; expected at least one face"


@pytest.mark.parametrize("command", ["inspect", "classifier", "tune", "detector", "bundle", "accuracy"])
def test_a_set_of_false_alarms_alone_teaches_the_classifier_only(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "faces").mkdir()
    (tmp_path / "alarms").mkdir()
    faces, alarms = crops(tmp_path / "faces"), crops(tmp_path / "alarms")
    alarms.write_text(alarms.read_text().replace("without_mask", "not_a_face").replace("with_mask", "not_a_face"))
    code = run(command, alarms, monkeypatch, faces)
    said = capsys.readouterr().err.strip()
    if command in ("inspect", "classifier", "tune"):
        assert code == 0, said
    else:
        assert (code, FALSE_ALARMS in said.splitlines()[-1]) == (2, True), said


def table():
    """The rows of the document."""
    rows = [f"| | {' | '.join(COMMANDS)} |", "|" + " --- |" * (len(COMMANDS) + 1)]
    for name, (_, refused) in SETS.items():
        marks = ["yes" if refused.get(command, READ) == READ else "no" for command in COMMANDS]
        rows.append(f"| {name} | {' | '.join(marks)} |")
    return "\n".join(rows)


def test_the_table_of_the_document_is_this_one():
    assert table() in DOCUMENT.read_text(), table()
