import json

import pytest

from edge.core.errors import DataError
from edge.evaluation import coco, formats


def write(path, boxes):
    images = [{"id": 7, "file_name": "a.jpg", "source": "door", "cluster": "c1"}]
    path.write_text(json.dumps({"images": images, "annotations": boxes}))
    return path


def test_reads_boxes_categories_and_regions_to_ignore(tmp_path):
    box = {"image_id": 7, "bbox": [1, 2, 10, 20], "category_id": 1, "iscrowd": 0}
    (picture,) = coco.read(write(tmp_path / "a.json", [box, {**box, "iscrowd": 1, "category_id": 4}]))
    assert picture.boxes.tolist() == [[1, 2, 11, 22], [1, 2, 11, 22]]
    assert picture.categories.tolist() == [1, 4]
    assert picture.ignored.tolist() == [False, True]
    assert picture.path == tmp_path / "images" / "a.jpg"
    assert (picture.source, picture.cluster) == ("door", "c1")


def test_attributes_that_are_true_are_kept_and_what_is_no_attribute_is_left_out(tmp_path):
    box = {"image_id": 7, "bbox": [1, 2, 10, 20], "category_id": 2}
    said = [{"beard": True, "occluded": False, "age": 7}, None, ["beard"], {}]
    (picture,) = coco.read(write(tmp_path / "a.json", [{**box, "attributes": a} for a in said]))
    assert picture.attributes == (frozenset({"beard"}), frozenset(), frozenset(), frozenset())
    (without,) = coco.read(write(tmp_path / "a.json", [box]))
    assert without.attributes == ()


def test_a_folder_with_one_json_will_do(tmp_path):
    write(tmp_path / "a.json", [{"image_id": 7, "bbox": [1, 2, 10, 20], "category_id": 1}])
    assert len(formats.read(tmp_path)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "no such file"),
        ("{", "not COCO"),
        ("[]", "not COCO"),
        ('{"images": [], "annotations": []}', "no face"),
        ('{"images": [{"id": 1}], "annotations": []}', "entry 0 of images: expected an id and a file_name"),
        (
            '{"images": [{"id": 1, "file_name": "x"}, {"id": 1, "file_name": "y"}], "annotations": []}',
            "entry 1.*id 1 is not",
        ),
        ("version https://git-lfs.github.com/spec/v1", "not COCO"),
    ],
)
def test_bad_annotations_are_one_line(tmp_path, text, expected):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=expected) as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_categories_go_by_their_names(tmp_path):
    path = write(tmp_path / "a.json", [{"image_id": 7, "bbox": [1, 2, 10, 20], "category_id": 9}])
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "categories": [{"id": 9, "name": "without_mask"}]}))
    assert coco.read(path)[0].categories.tolist() == [coco.WITHOUT_MASK]
    path.write_text(json.dumps({**content, "categories": [{"id": 9, "name": "dog"}]}))
    with pytest.raises(
        DataError, match=r"class 'dog' .1 boxes. is unknown: expected with_mask.*--label 'dog=with_mask'"
    ):
        coco.read(path)
