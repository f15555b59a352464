"""Data sets as other people's tools write them."""

import json

import numpy as np
import pytest

pytest.importorskip("PIL", reason="needs the extra 'cpu'")

from PIL import Image as Pillow

from edge.core.errors import DataError
from edge.evaluation import annotated, formats
from edge.evaluation.labels import Labels, plain

W, H = 64, 48
BOX = [8.0, 6.0, 20.0, 24.0]
"""x, y, width, height"""
CORNERS = [8, 6, 28, 30]


def picture(path, size=(W, H)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size, (90, 120, 30)).save(path)
    return path


def coco(path, name="a.jpg", categories=None, **changes):
    content = {
        "images": [{"id": 1, "file_name": name, "width": W, "height": H}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": BOX, **changes}],
        "categories": categories or [{"id": 1, "name": "with_mask"}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def only(path, renamed=None):
    (found,) = formats.read(path, renamed)
    return found


@pytest.mark.parametrize(
    ("annotations", "name", "place"),
    [
        ("result.json", "images/a.jpg", "images/a.jpg"),  # Label Studio
        ("result.json", "images\\a.jpg", "images/a.jpg"),  # ... on Windows
        ("result.json", "images/1/a.jpg", "images/a.jpg"),
        ("result.json", "../../label-studio/data/media/upload/1/a%20b.jpg", "images/a b.jpg"),
        ("_annotations.coco.json", "a.jpg", "a.jpg"),  # Roboflow
        ("annotations/instances_default.json", "a.jpg", "images/a.jpg"),  # CVAT
        ("annotations/instances_train.json", "sub/a.jpg", "images/train/sub/a.jpg"),
        ("labels_my-project.json", "a.jpg", "pictures/a.jpg"),  # makesense
        ("coco.json", "C:\\Users\\me\\a.jpg", "a.jpg"),
    ],
)
def test_pictures_are_found_where_the_tools_put_them(annotations, name, place, tmp_path):
    there = picture(tmp_path / place)
    coco(tmp_path / annotations, name)
    assert only(tmp_path / annotations).path == there
    assert only(tmp_path).path == there
    assert only(tmp_path).boxes.tolist() == [CORNERS]


def test_two_pictures_of_one_name_are_not_guessed_between(tmp_path):
    picture(tmp_path / "x" / "a.jpg"), picture(tmp_path / "y" / "a.jpg")
    assert not only(coco(tmp_path / "c.json")).path.exists()


def test_a_category_that_no_box_uses_does_not_matter(tmp_path):
    root = [{"id": 0, "name": "mask-wearing", "supercategory": "none"}, {"id": 1, "name": "with_mask"}]
    assert only(coco(tmp_path / "c.json", categories=root)).categories.tolist() == [annotated.WITH_MASK]


def test_parts_of_a_roboflow_export_are_read_together(tmp_path):
    for part in ("train", "valid", "test"):
        picture(tmp_path / part / f"{part}.jpg")
        coco(tmp_path / part / "_annotations.coco.json", f"{part}.jpg")
    assert [(p.path.stem, p.split) for p in formats.read(tmp_path)] == [
        ("test", "val"),
        ("train", "train"),
        ("valid", "val"),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bbox": [8, 6, float("nan"), 3]}, r"annotation 5: bbox \[8, 6, nan, 3\]: not numbers; delete it"),
        ({"bbox": [8, 6, float("inf"), 3]}, "not numbers"),
        ({"bbox": [28, 30, -20, -24]}, "width and height must be above 0"),
        ({"bbox": [8, 6, 0, 24]}, "width and height must be above 0"),
        ({"bbox": [0.1, 0.1, 0.3, 0.5]}, "fractions of the picture; expected pixels"),
        ({"bbox": ["8", "6", "20", "24"]}, "expected four numbers"),
        ({"bbox": [8, 6, 20]}, "expected four numbers"),
        ({"bbox": None}, "expected four numbers"),
        ({"bbox": [True, 6, 20, 24]}, "expected four numbers"),
        ({"bbox": [800, 600, 20, 24]}, "lies outside of a.jpg, 64 x 48"),
        ({"image_id": 99}, "annotation 5: image_id 99 stands in no list"),
        ({"image_id": [1]}, "image_id .1. stands in no list"),
        ({"category_id": 7}, "category_id 7 stands in no list"),
    ],
)
def test_what_is_no_annotation_is_one_line_with_file_entry_and_remedy(changes, says, tmp_path):
    path = coco(tmp_path / "c.json", **changes)
    with pytest.raises(DataError, match=says) as caught:
        formats.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_picture_of_another_size_than_was_annotated_is_not_used(tmp_path):
    picture(tmp_path / "a.jpg", (W * 2, H * 2))
    skipped = annotated.Skipped()
    with pytest.raises(DataError, match=r"none of the 1 pictures.*is 128 x 96, the annotation says 64 x 48"):
        list(annotated.each(formats.read(coco(tmp_path / "c.json")), skipped))
    picture(tmp_path / "a.jpg", (H, W))
    with pytest.raises(DataError, match="annotated without its EXIF turn"):
        annotated.opened(only(tmp_path / "c.json"))


def test_numbers_without_names_may_begin_at_0_once_somebody_says_what_they_mean(tmp_path):
    path = coco(tmp_path / "c.json", category_id=0)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "categories": []}))
    with pytest.raises(DataError, match=r"class '0' \(1 boxes\) is unknown.*--label '0=with_mask'"):
        formats.read(path)
    assert only(path, {"0": "without_mask"}).categories.tolist() == [annotated.WITHOUT_MASK]


VOC = """<?xml version="1.0"?><annotation><filename>{name}</filename><size><width>64</width><height>48</height></size>
<object><name>mask_weared_incorrect</name><difficult>{difficult}</difficult>
<bndbox><xmin>8</xmin><ymin>6</ymin><xmax>{xmax}</xmax><ymax>30</ymax></bndbox></object></annotation>"""


def voc(root, name="a.png", xmax="28", difficult=0):
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    path = root / "annotations" / "a.xml"
    path.write_text(VOC.format(name=name, xmax=xmax, difficult=difficult))
    return path


@pytest.mark.parametrize("name", ["a.png", "maksssksksss0.png", ""])
def test_pascal_voc_is_read_as_the_public_set_has_it(name, tmp_path):
    there = picture(tmp_path / "images" / "a.png")
    voc(tmp_path, name)
    found = only(tmp_path)
    assert (found.path, found.size) == (there, (W, H))
    assert found.boxes.tolist() == [CORNERS]
    assert found.categories.tolist() == [annotated.INCORRECTLY_WORN]


def test_a_difficult_object_is_a_region_to_ignore(tmp_path):
    picture(tmp_path / "images" / "a.png")
    path = voc(tmp_path, difficult=1)
    with pytest.raises(DataError, match="no face is annotated"):
        formats.read(path)


def things(root, kind, label="not_a_face"):
    """One picture of what is no face, and nothing else; what names the set."""
    if kind == "a folder per class":
        picture(root / label / "a.jpg")
    if kind == "COCO":
        picture(root / "images" / "a.jpg")
        return coco(root / "train.json", categories=[{"id": 1, "name": label}])
    if kind == "crops.csv":
        picture(root / "images" / "a.jpg")
        (root / "crops.csv").write_text(f"file,label,x0,y0,x1,y1\na.jpg,{label},8,6,28,30\n")
    if kind == "Pascal VOC":
        picture(root / "images" / "a.png")
        path = voc(root)
        path.write_text(path.read_text().replace("<name>mask_weared_incorrect<", f"<name>{label}<"))
    if kind == "YOLO":
        yolo(root, names=f"[{label}]")
    return root


@pytest.mark.parametrize("label", ["not_a_face", "Laterne"])
@pytest.mark.parametrize("kind", ["a folder per class", "COCO", "crops.csv", "Pascal VOC", "YOLO"])
def test_a_set_of_false_alarms_alone_is_read_where_it_is_asked_for(kind, label, tmp_path):
    renamed, path = {"Laterne": "not_a_face"}, things(tmp_path, kind, label)
    found = formats.read(path, renamed, things=True)
    assert found[0].categories.tolist() == [annotated.NOT_A_FACE]
    with pytest.raises(DataError, match=f"only {len(found)} of not_a_face; expected at least one face") as caught:
        formats.read(path, renamed)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("xmax", "says"), [("8", "xmin 8, ymin 6, xmax 8"), ("", "no box"), ("nan", "no box")])
def test_a_voc_box_that_is_none_is_named(xmax, says, tmp_path):
    path = voc(tmp_path, xmax=xmax)
    with pytest.raises(DataError, match=says) as caught:
        formats.read(tmp_path)
    assert f"{path}: object 0" in str(caught.value)


def yolo(root, row="0 0.28125 0.375 0.3125 0.5", names="[with_mask, no-mask]", train="train/images"):
    (root / "train" / "labels").mkdir(parents=True, exist_ok=True)
    picture(root / "train" / "images" / "a.jpg")
    (root / "train" / "labels" / "a.txt").write_text(row + "\n")
    (root / "data.yaml").write_text(f"train: {train}\nval: {train}\ntest: ../test/images\nnc: 2\nnames: {names}\n")
    return root


@pytest.mark.parametrize("train", ["train/images", "../train/images", "./train/images"])
def test_yolo_is_read_with_its_paths_one_folder_off(train, tmp_path):
    pytest.importorskip("ruamel.yaml", reason="needs the extra 'train'")
    first, _ = formats.read(yolo(tmp_path, train=train))
    assert first.boxes.tolist() == [CORNERS]
    assert first.categories.tolist() == [annotated.WITH_MASK]
    assert first.split == "train"


def test_a_yolo_polygon_gives_its_box_and_names_may_be_a_table(tmp_path):
    pytest.importorskip("ruamel.yaml", reason="needs the extra 'train'")
    row = "1 0.125 0.125 0.4375 0.125 0.4375 0.625 0.125 0.625"
    first, _ = formats.read(yolo(tmp_path, row, "{0: mask, 1: without mask}"))
    assert first.boxes.tolist() == [CORNERS]
    assert first.categories.tolist() == [annotated.WITHOUT_MASK]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("7 .2 .2 .1 .1", "class 7 is not among the names"),
        ("0 nan .2 .1 .1", "no box"),
        ("0 .2 .2 0 .1", "no box"),
        ("0 30 20 10 10", "no box; expected shares"),
        ("0 .2 .2 .1", "3 numbers after the class"),
        ("mask .2 .2 .1 .1", "expected numbers"),
    ],
)
def test_a_yolo_line_that_is_no_box_is_named(row, says, tmp_path):
    pytest.importorskip("ruamel.yaml", reason="needs the extra 'train'")
    with pytest.raises(DataError, match=says) as caught:
        formats.read(yolo(tmp_path, row))
    assert "labels/a.txt:1: " in str(caught.value)


def test_yolo_without_its_names_says_what_is_missing(tmp_path):
    yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(DataError, match=r"looks like YOLO .* without its data.yaml"):
        formats.read(tmp_path)


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("WithMask", "WithoutMask"), ("", "")),
        (("mask", "no_mask"), ("", "")),
        (("Train/with_mask", "Validation/without_mask"), ("train", "val")),
        (("with_mask/train", "without_mask/test"), ("train", "val")),
        (("dataset/Face Mask Dataset/Train/WithMask", "dataset/Face Mask Dataset/Test/WithoutMask"), ("train", "val")),
    ],
)
def test_a_folder_per_class_in_every_spelling(folders, splits, tmp_path):
    for folder in folders:
        picture(tmp_path / folder / "a.jpg")
        (tmp_path / folder / "._a.jpg").write_bytes(b"\0\5\26\7")
    found = sorted(formats.read(tmp_path), key=lambda p: p.categories[0])
    assert [p.categories.tolist() for p in found] == [[annotated.WITH_MASK], [annotated.WITHOUT_MASK]]
    assert tuple(p.split for p in found) == splits
    assert all(p.whole for p in found)
    assert annotated.opened(found[0])[0].boxes.tolist() == [[0, 0, W, H]]


def test_a_folder_of_an_unknown_class_is_named_and_can_be(tmp_path):
    for folder in ("with_mask", "without_mask", "Schal"):
        picture(tmp_path / folder / "a.jpg")
    with pytest.raises(DataError, match=r"Schal: 1 pictures of an unknown class; .*--label 'Schal=without_mask'"):
        formats.read(tmp_path)
    assert len(formats.read(tmp_path, {"Schal": "ignore"})) == 2
    assert len(formats.read(tmp_path, {"schal": "mask_worn_incorrectly"})) == 3
    with pytest.raises(DataError, match="--label Schal=scarf: expected one of with_mask"):
        formats.read(tmp_path, {"Schal": "scarf"})


def test_what_is_not_recognised_is_told_with_what_there_is(tmp_path):
    picture(tmp_path / "cats" / "a.jpg")
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(DataError, match=r"found folders cats and files 1 .jpg, 1 .md; expected a COCO"):
        formats.read(tmp_path)


TABLE = "file,label,x0,y0,x1,y1\na.jpg,with_mask,8,6,28,30\n"
SCORED = "file,label,x0,y0,x1,y1,score\na.jpg,with_mask,8,6,28,30,0.25\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TABLE, "utf-8"),
        (TABLE, "utf-8-sig"),
        (TABLE.replace(",", ";"), "utf-8-sig"),
        (TABLE.replace(",", "\t").replace("\n", "\r\n"), "utf-8"),
        (TABLE.replace(",", ";").replace("28", "28,0"), "utf-8"),
    ],
)
def test_a_table_is_read_as_spreadsheets_write_it(text, encoding, tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "crops.csv").write_bytes(text.encode(encoding))
    assert only(tmp_path).boxes.tolist() == [CORNERS]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TABLE.replace(",8,", ",,"), "crops.csv:2: x0 = '', .*expected four numbers"),
        (TABLE.replace(",8,", ",nan,"), "crops.csv:2: x0 = nan.*no box"),
        (TABLE.replace(",28,", ",8,"), "no box; expected x0 < x1"),
        (TABLE.replace("with_mask", "Maske"), "crops.csv:2: class 'Maske'"),
        ("", "no column file"),
        (TABLE + "b.jpg\n", "crops.csv:3: class ''"),
        (SCORED.replace("0.25", "1.5"), "crops.csv:2: score = '1.5': expected a number from 0 to 1"),
        (SCORED.replace("0.25", "high"), "crops.csv:2: score = 'high'"),
        (SCORED.replace("0.25", "nan"), "crops.csv:2: score = 'nan'"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(text, says, tmp_path):
    (tmp_path / "crops.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        formats.read(tmp_path)


@pytest.mark.parametrize(("text", "scores"), [(SCORED, (0.25,)), (SCORED.replace("0.25", ""), ()), (TABLE, ())])
def test_a_table_may_say_how_sure_a_detector_was(text, scores, tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "crops.csv").write_text(text)
    assert only(tmp_path).scores == scores


def test_a_byte_order_mark_in_json_does_not_matter(tmp_path):
    path = coco(tmp_path / "c.json")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(formats.read(path)) == 1


def test_spellings():
    assert plain("Mask_Weared-Incorrect") == "maskwearedincorrect"
    known = Labels({})
    for name in ("With Mask", "face_mask", "MASKED", "mask"):
        assert known.number(name) == annotated.WITH_MASK
    for name in ("no-mask", "NoMask", "face_no_mask", "Without_Mask"):
        assert known.number(name) == annotated.WITHOUT_MASK
    assert known.number("person") is None


def test_a_set_of_which_half_is_missing_says_so(tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    path = coco(tmp_path / "c.json")
    content = json.loads(path.read_text())
    content["images"].append({"id": 2, "file_name": "gone.jpg"})
    path.write_text(json.dumps(content))
    skipped = annotated.Skipped()
    ((truth, image),) = annotated.each(formats.read(path), skipped)
    assert image.shape == (H, W, 3)
    assert np.array_equal(truth.boxes, [CORNERS])
    assert str(skipped).startswith("skipped 1 of 2 pictures, the first is ")
    assert str(skipped).endswith("gone.jpg: no such file")


@pytest.mark.parametrize("name", ["x" * 5000, "folder/" * 900 + "x.jpg"])
def test_a_name_without_an_end_is_not_repeated_whole(tmp_path, name):
    path = coco(tmp_path / "a.json", name)
    with pytest.raises(DataError) as caught:
        list(annotated.each(formats.read(path), annotated.Skipped()))
    assert len(str(caught.value)) < 600
    assert str(caught.value).endswith("...: no such file")


@pytest.mark.parametrize("name", ["masks.zip", "masks.tar.gz", "Masks.ZIP", "masks.7z"])
def test_an_archive_is_to_be_unpacked(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(DataError, match=r"an archive: unpack it, and name what was in it: expected a COCO \.json"):
        formats.read(tmp_path / name)
