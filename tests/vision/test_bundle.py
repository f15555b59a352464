import json
import shutil

import pytest

from edge.core.errors import BundleError
from edge.vision import bundle


def test_loads_and_gives_paths(tmp_path, write_bundle):
    loaded = bundle.load(write_bundle(tmp_path / "b"))
    assert loaded.path("detector", "tflite") == tmp_path / "b" / "d.tflite"
    assert loaded.classifier.labels == ["with_mask", "without_mask"]
    assert loaded.detector.input.spec().mean == 127.5


def test_its_bundle_json_stands_for_the_folder(tmp_path, write_bundle):
    loaded = bundle.load(write_bundle(tmp_path / "b") / "bundle.json")
    assert loaded.path("detector", "tflite") == tmp_path / "b" / "d.tflite"


def test_survives_a_round_trip_through_text(tmp_path, write_bundle):
    loaded = bundle.load(write_bundle(tmp_path / "b"))
    (tmp_path / "b" / "bundle.json").write_text(loaded.model_dump_json())
    assert bundle.load(tmp_path / "b") == loaded


def test_further_shapes_of_the_detector_are_networks_of_their_own(tmp_path, write_bundle, bundle_shape):
    loaded = bundle.load(write_bundle(tmp_path / "b", detector={"shapes": [bundle_shape(32, 64)]}))
    assert list(loaded.networks) == ["detector", "classifier", "detector-32x64"]
    assert loaded.path("detector-32x64", "tflite") == tmp_path / "b" / "d32x64.tflite"
    assert loaded.known_answer("detector-32x64") == tmp_path / "b" / "d32x64.npz"


@pytest.mark.parametrize("name", ["d32x64.tflite", "d32x64.npz"])
def test_a_changed_byte_of_a_further_shape_is_noticed(tmp_path, write_bundle, bundle_shape, name):
    folder = write_bundle(tmp_path / "b", detector={"shapes": [bundle_shape(32, 64)]})
    (folder / name).write_bytes(b"other")
    with pytest.raises(BundleError, match=f"{name}: wrong digest"):
        bundle.load(folder)


@pytest.mark.parametrize(
    ("size", "change", "said"),
    [
        ((64, 32), {}, r"the input shape \(64, 32\) stands twice"),
        ((32, 64), {"outputs": {"scores": [42, 1]}}, r"outputs \['scores'\] of a further shape, expected"),
        ((32, 64), {"strides": [8]}, r"strides"),
    ],
)
def test_a_further_shape_must_be_the_same_network(tmp_path, write_bundle, bundle_shape, size, change, said):
    folder = write_bundle(tmp_path / "b", detector={"shapes": [{**bundle_shape(*size), **change}]})
    with pytest.raises(BundleError, match=said):
        bundle.load(folder)


def test_a_shape_that_no_memory_holds_is_refused(tmp_path, write_bundle, bundle_shape):
    """Before its file is read, which would tell too."""
    folder = write_bundle(tmp_path / "b", detector={"shapes": [bundle_shape(32, 64)]})
    values = json.loads((folder / "bundle.json").read_text())
    values["detector"]["shapes"][0]["input"]["width"] = 10**9
    (folder / "bundle.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match=r"shapes\.0\.input\.width = 1000000000: .*4096"):
        bundle.load(folder)


def test_shapes_without_end_are_refused_in_a_line(tmp_path, write_bundle, bundle_shape):
    folder = write_bundle(tmp_path / "b", detector={"shapes": [bundle_shape(32, 64)] * 1000})
    with pytest.raises(BundleError, match=r"detector\.shapes = .* at most 16") as caught:
        bundle.load(folder)
    assert len(str(caught.value)) < 400 + len(str(folder))


def test_missing_format_says_what_there_is(tmp_path, write_bundle):
    with pytest.raises(BundleError, match=r"no edgetpu file of the detector; there is: tflite"):
        bundle.load(write_bundle(tmp_path / "b")).path("detector", "edgetpu")


@pytest.mark.parametrize("name", ["d.tflite", "c.npz"])
def test_a_changed_byte_is_noticed(tmp_path, write_bundle, name):
    folder = write_bundle(tmp_path / "b")
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name}: wrong digest"):
        bundle.load(folder)


def test_a_missing_file_is_named(tmp_path, write_bundle):
    folder = write_bundle(tmp_path / "b")
    (folder / "c.tflite").unlink()
    with pytest.raises(BundleError, match=r"c\.tflite: named in bundle\.json but cannot be read"):
        bundle.load(folder)


def test_a_git_lfs_pointer_is_named_as_such(tmp_path, write_bundle):
    folder = write_bundle(tmp_path / "b")
    (folder / "c.tflite").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(BundleError, match="Git-LFS pointer"):
        bundle.load(folder)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema_version": 2}, "schema_version = 2: this maskcam reads 1"),
        ({"colour": "blue"}, "colour"),
        ({"detector": {"score_threshold": "high"}}, r"detector\.score_threshold = 'high'"),
        ({"classifier": {"labels": ["cat", "dog"]}}, "label 'cat' is unknown"),
        ({"detector": {"files": {"tflite": "../d.tflite"}}}, "leaves the bundle's folder"),
        ({"detector": {"outputs": {"a": [4, 1], "b": [4, 1]}}}, "not distinct"),
        ({"files": {}}, "no digest for"),
    ],
)
def test_wrong_values_are_one_line_with_key_and_value(tmp_path, write_bundle, changes, expected):
    folder = write_bundle(tmp_path / "b", **changes)
    with pytest.raises(BundleError, match=expected) as caught:
        bundle.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_damaged_json_is_one_line(tmp_path, write_bundle, text):
    folder = write_bundle(tmp_path / "b")
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError) as caught:
        bundle.load(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_bundle_says_how_to_make_one(tmp_path):
    with pytest.raises(BundleError, match="maskcam-convert bundle"):
        bundle.load(tmp_path)


def test_shipped_bundle_is_whole_and_small(tmp_path):
    loaded = bundle.load()
    assert sum(d.bytes for d in loaded.files.values()) <= 10e6
    assert set(loaded.files) == {p.name for p in bundle.shipped().iterdir()} - {"bundle.json"}
    copied = shutil.copytree(bundle.shipped(), tmp_path / "copy")
    assert bundle.load(copied).model_dump() == loaded.model_dump()
    assert '"/' not in (bundle.shipped() / "bundle.json").read_text(), "a path of the training machine"


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ("classifier", "known_answer", "file name 'x{79}... is longer than 255 characters"),
        ("classifier", "labels", "label 'x{79}... is unknown"),
        ("", "schema_version", "schema_version = 'x{79}...: this maskcam reads 1"),
        ("", "x" * 5000, "x{80}... = 'x{79}...: "),
    ],
)
def test_what_is_long_is_not_repeated_whole(tmp_path, write_bundle, section, key, said):
    folder = write_bundle(tmp_path / "bundle")
    content = json.loads((folder / "bundle.json").read_text())
    (content[section] if section else content)[key] = ["x" * 5000] if key == "labels" else "x" * 5000
    (folder / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=said) as caught:
        bundle.load(folder)
    assert len(str(caught.value)) < 600
