import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("imagehash", reason="needs the extra 'train'")
pytest.importorskip("cv2", reason="needs the extra 'cpu'")

import cv2

from edge.core.errors import DataError
from edge.core.geometry import Box
from train.data import dataset, near_duplicates, splits
from train.data.shelf import Shelf

LABELS = ("with_mask", "without_mask")


def scene(seed, size=96):
    """A picture that no other seed resembles: smooth random colours (RGB)."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (6, 6, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])


@pytest.fixture
def folders(tmp_path):
    for k, label in enumerate(LABELS):
        for i in range(4):
            save(tmp_path / "set" / label / f"{i}.png", scene(10 * k + i))
    return tmp_path / "set"


def sample(i, label="with_mask", cluster="", split=""):
    return dataset.Sample(Path(f"{i}.png"), None, label, "s", cluster, split)


def test_a_folder_per_class_is_read_with_the_whole_picture_as_face(folders):
    samples = dataset.read(folders)
    assert [s.label for s in samples] == ["with_mask"] * 4 + ["without_mask"] * 4
    assert {s.source for s in samples} == {"set"}
    patches, skipped = dataset.decode(samples)
    assert not skipped
    assert patches[0].box == Box(0, 0, 96, 96)
    assert patches[0].side == 96


def coco(path, categories=(1, 2, 3, 4), crowd=0):
    names = ("with_mask", "without_mask", "mask_worn_incorrectly", "face")
    save(path.parent / "images" / "a.png", scene(1))
    boxes = [
        {"image_id": 7, "category_id": c, "bbox": [10, 20, 30, 40], "iscrowd": crowd if c == 2 else 0}
        for c in categories
    ]
    content = {
        "categories": [{"id": i + 1, "name": n} for i, n in enumerate(names)],
        "images": [{"id": 7, "file_name": "a.png", "source": "door", "cluster": "77"}],
        "annotations": boxes,
    }
    path.write_text(json.dumps(content))
    return path


def test_coco_gives_known_mask_states_with_source_cluster_and_split(tmp_path):
    samples = dataset.read(coco(tmp_path / "val.json"))
    assert [s.label for s in samples] == ["with_mask", "without_mask", "mask_worn_incorrectly"]
    assert samples[0] == dataset.Sample(
        tmp_path / "images" / "a.png", Box(10, 20, 40, 60), "with_mask", "door", "77", "val"
    )
    assert dataset.read(coco(tmp_path / "other.json"))[0].split == ""


def test_coco_says_to_which_side_a_face_looks(tmp_path):
    file = coco(tmp_path / "t.json", (1, 2))
    content = json.loads(file.read_text())
    content["annotations"][1]["attributes"] = {"nose_left": True, "beard": True}
    file.write_text(json.dumps(content))
    assert [s.nose for s in dataset.read(file)] == ["", "left"]


def test_coco_crowd_boxes_are_no_samples(tmp_path):
    assert [s.label for s in dataset.read(coco(tmp_path / "t.json", (1, 2), crowd=1))] == ["with_mask"]


def test_crops_csv_keeps_boxes_clusters_and_splits(tmp_path):
    rows = [
        {"file": "a.png", "label": "with_mask", "x0": 1, "y0": 2, "x1": 30, "y1": 40, "box": "found", "source": "s"},
        {"file": "b.png", "label": "without_mask", "x0": 0, "y0": 0, "x1": 9, "y1": 9, "box": "whole", "source": "s"},
    ]
    with open(tmp_path / "crops.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "cluster", "split"])
        writer.writeheader()
        writer.writerows(row | {"cluster": "5", "split": "val"} for row in rows)
    first, second = dataset.read(tmp_path / "crops.csv")
    assert first == dataset.Sample(tmp_path / "images" / "a.png", Box(1, 2, 30, 40), "with_mask", "s", "5", "val")
    assert second.box is None
    assert dataset.read(tmp_path) == [first, second]


def test_false_alarms_alone_are_samples_and_have_backgrounds_too(tmp_path):
    save(tmp_path / "images" / "a.png", scene(1))
    (tmp_path / "crops.csv").write_text("file,label,x0,y0,x1,y1\na.png,not_a_face,1,2,30,40\n")
    assert [s.label for s in dataset.read(tmp_path / "crops.csv", things=True)] == ["not_a_face"]
    path = coco(tmp_path / "lamps.json", categories=(1,))
    path.write_text(path.read_text().replace("with_mask", "lamp", 1))
    assert dataset.backgrounds(path, 5, 1, {"lamp": "not_a_face"})[0].label == "not_a_face"


def test_backgrounds_are_places_without_a_face(tmp_path):
    path = coco(tmp_path / "train.json", categories=(1,))
    (found,) = dataset.backgrounds(path, 5, seed=1)
    assert found.label == "not_a_face"
    assert (found.cluster, found.split) == ("77", "train")
    b = found.box
    assert b.x1 <= 10 or b.x0 >= 40 or b.y1 <= 20 or b.y0 >= 60
    assert 0 <= b.x0 < b.x1 <= 96
    (tmp_path / "images" / "a.png").write_bytes(b"no picture")
    assert dataset.backgrounds(path, 5, seed=1) == []


def test_a_picture_that_is_one_face_has_no_background():
    everywhere = np.array([[0, 0, 96, 96]], np.float32)
    assert dataset._free_place(96, 96, everywhere, np.random.default_rng(0)) is None


def test_a_patch_holds_the_same_pixels_as_the_picture_around_the_face():
    image = scene(3)
    patch = dataset.cut(image, replace(sample(0), box=Box(40, 40, 60, 60)))
    x, y = int(patch.box.x0), int(patch.box.y0)
    assert x > 0
    assert (patch.image[y : y + 20, x : x + 20] == image[40:60, 40:60]).all()
    small = dataset.shrunk(patch, 10)
    assert small.box.width == pytest.approx(10)
    assert small.side == 20
    assert dataset.shrunk(patch, 20) is patch
    assert dataset.cut(image, replace(sample(0), box=Box(200, 200, 220, 220))) is None


def test_patches_beyond_the_memory_are_the_same(folders, monkeypatch):
    samples = dataset.read(folders)
    in_memory = dataset.decode(samples)[0]
    monkeypatch.setattr(dataset, "keep", Shelf(megabytes=0).keep)
    in_files = dataset.decode(samples)[0]
    for one, other in zip(in_memory, in_files, strict=True):
        assert not other.image.flags.owndata
        np.testing.assert_array_equal(other.image, one.image)
        np.testing.assert_array_equal(dataset.shrunk(other, 16).image, dataset.shrunk(one, 16).image)
    found, expected = (near_duplicates.fingerprints(each) for each in (in_files, in_memory))
    np.testing.assert_array_equal(found, expected)


def test_missing_and_damaged_pictures_are_skipped_and_named(folders):
    truncated, text = folders / "with_mask" / "t.jpg", folders / "with_mask" / "u.jpg"
    save(truncated, scene(1))
    truncated.write_bytes(truncated.read_bytes()[:-600])
    text.write_text("no picture")
    gone = replace(sample("gone"), path=folders / "gone.png")
    patches, skipped = dataset.decode([*dataset.read(folders), gone])
    assert set(skipped) == {truncated, text, gone.path}
    assert len(patches) == 8


def test_a_git_lfs_pointer_is_named(folders):
    (folders / "with_mask" / "p.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(DataError, match=r"p\.jpg.*Git-LFS.*git lfs pull"):
        dataset.decode(dataset.read(folders))


def test_a_set_of_which_nothing_can_be_read_is_refused(tmp_path):
    for label in LABELS:
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.jpg").write_text("no picture")
    with pytest.raises(DataError, match="none of 2 pictures"):
        dataset.decode(dataset.read(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing", None, "no such file or folder"),
        ("a.txt", "hello", "expected .* a folder per class"),
        ("a.json", "{", "not COCO annotations"),
        ("b.json", '{"images": []}', "not COCO annotations"),
        ("c.csv", "file,label\na,with_mask\n", "no column x0, y0, x1, y1"),
        ("d.csv", "file,label,x0,y0,x1,y1\n", "no face is annotated"),
    ],
)
def test_unusable_data_is_named_in_one_line(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=says) as raised:
        dataset.read(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_empty_folders_and_folders_without_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"folder per class .with_mask, without_mask"):
        dataset.read(tmp_path)
    (tmp_path / "with_mask").mkdir()
    with pytest.raises(DataError, match="no face is annotated"):
        dataset.read(tmp_path)


def test_one_class_is_refused_with_its_counts():
    with pytest.raises(DataError, match="training part: 1 with_mask, 0 without_mask"):
        dataset.require_both([sample(0)], "training part")


def test_near_duplicates_share_a_cluster_and_strangers_do_not():
    original = scene(1)
    turned = cv2.warpAffine(
        original, cv2.getRotationMatrix2D((48, 48), 10, 1), (96, 96), borderMode=cv2.BORDER_REPLICATE
    )
    darker = (original * 0.8).astype(np.uint8)
    images = [original, darker, original[:, ::-1].copy(), turned, scene(2), scene(3)]
    patches = near_duplicates.assign([dataset.cut(im, sample(i)) for i, im in enumerate(images)], 6)
    names = [p.sample.cluster for p in patches]
    assert len(set(names[:4])) == 1
    assert len(set(names[3:])) == 3
    assert near_duplicates.copies(patches[1:2], patches[:1], 6) == 1
    assert near_duplicates.copies(patches[4:], patches[:1], 6) == 0


def test_a_known_cluster_is_kept():
    patches = near_duplicates.assign([dataset.cut(scene(1), sample(0, cluster="given"))], 6)
    assert patches[0].sample.cluster == "given"


def test_the_distance_of_hashes_counts_bits():
    a, b = np.array([0b1011, 2**63], np.uint64), np.array([0, 0b11, 2**63 + 1], np.uint64)
    pairs = set(zip(*(x.tolist() for x in near_duplicates.near(a, b, 1)), strict=True))
    assert pairs == {(0, 1), (1, 0), (1, 2)}


@pytest.mark.parametrize("distance", [0, 3, 6, 9])
def test_the_index_finds_every_pair_that_a_look_at_all_of_them_finds(distance, monkeypatch):
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 500)
    rng = np.random.default_rng(distance)
    a = rng.integers(0, 2**63, 900, dtype=np.uint64)
    b = a[rng.integers(0, 60, 700)]  # many copies of few, as a camera at a door makes them
    for k in range(len(b)):
        for bit in rng.choice(64, k % 12, replace=False):
            b[k] ^= np.uint64(1) << np.uint64(bit)
    every = near_duplicates._bits((a[:, None] ^ b[None]).reshape(-1)).reshape(len(a), len(b)) <= distance
    assert [x.tolist() for x in near_duplicates.near(a, b, distance)] == [x.tolist() for x in np.nonzero(every)]
    assert every.sum() > 40


def test_bits_are_counted_alike_with_and_without_the_newer_numpy(monkeypatch):
    values = np.random.default_rng(0).integers(0, 2**63, 50, dtype=np.uint64)
    expected = [bin(v).count("1") for v in values.tolist()]
    assert near_duplicates._bits(values).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert near_duplicates._bits(values).tolist() == expected


def many():
    """40 clusters of 5 copies each, 20 per label."""
    return [sample(f"{c}-{i}", LABELS[c % 2], str(c)) for c in range(40) for i in range(5)]


def test_a_split_by_cluster_never_leaks_and_a_random_one_does():
    by_cluster, at_random = splits.split(many(), "cluster", 0.2, 1), splits.split(many(), "random", 0.2, 1)
    for result in (by_cluster, at_random):
        for label in LABELS:
            held = sum(s.split == "val" for s in result if s.label == label)
            assert held == pytest.approx(20, abs=5)
    assert splits.leaks(by_cluster) == 0
    assert splits.leaks(at_random) > 30


def test_a_split_depends_on_its_seed_alone():
    assert splits.split(many(), "cluster", 0.2, 1) == splits.split(many(), "cluster", 0.2, 1)
    assert splits.split(many(), "cluster", 0.2, 1) != splits.split(many(), "cluster", 0.2, 2)


def test_a_split_of_the_data_s_own_is_kept():
    fixed = [sample(i, LABELS[i % 2], split="val" if i < 3 else "train") for i in range(10)]
    assert splits.split(fixed, "cluster", 0.5, 0) == fixed


def test_training_copies_of_another_set_s_validation_pictures_are_left_out():
    elsewhere = replace(sample(0, cluster="7", split="train"), path=Path("other/0.jpg"))
    sets = [elsewhere, sample(1, cluster="7", split="val"), sample(2, split="train")]
    trusted = splits.own_splits(sets)
    assert [s.split for s in splits.split(sets, "cluster", 0.5, 0)] == [splits.LEFT_OUT, "val", "train"]
    assert splits.split(sets, "random", 0.5, 0) == sets
    assert splits.leaks(sets, trusted) == 1


def test_within_one_set_its_own_split_is_trusted():
    series = [sample(0, cluster="7", split="train"), sample(1, cluster="7", split="val")]
    assert splits.split(series, "cluster", 0.5, 0) == series
    assert splits.leaks(series, splits.own_splits(series)) == 0
    assert splits.leaks(series) == 1
