"""Conversion and publishing, with two small networks whose weights are written by hand: bright squares are
"faces", red ones "masked". TensorFlow is needed to convert, not to run what comes out."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs the extra 'convert'", exc_type=ImportError)
pytest.importorskip("tf2onnx", reason="converting needs the extra 'convert'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow and tf2onnx warn about one another

SIZE, TALL = 64, (64, 128)


def bright_squares():
    """A detector (64 x 64): a cell of stride 8 fires where its 8 x 8 pixels are bright, with a box of 16 x 16."""
    import keras
    from keras import layers

    image = keras.Input((SIZE, SIZE, 3))
    scores, distances = [], []
    for stride in (8, 16, 32):
        mean = layers.AveragePooling2D(stride)(image)
        fire = layers.Conv2D(1, 1)
        reach = layers.Conv2D(4, 1)
        scores.append(layers.Reshape((-1, 1))(fire(mean)))
        distances.append(layers.Reshape((-1, 4))(reach(mean)))
        gain = 8.0 if stride == 8 else 0.0
        fire.set_weights([np.full((1, 1, 3, 1), gain / 3, "f4"), np.array([-2.0 if gain else -6.0], "f4")])
        reach.set_weights([np.zeros((1, 1, 3, 4), "f4"), np.full(4, 0.5, "f4")])
    return keras.Model(image, [layers.Concatenate(1)(scores), layers.Concatenate(1)(distances)])


def red_or_not():
    import keras
    from keras import layers

    image = keras.Input((32, 32, 3))
    dense = layers.Dense(2, activation="softmax")
    model = keras.Model(image, dense(layers.GlobalAveragePooling2D()(image)))
    dense.set_weights([np.array([[3, -3], [-3, 3], [0, 0]], "f4"), np.zeros(2, "f4")])
    return model


def red_green_or_blue():
    """Four labels: red is masked, green bare, blue no face; none is worn incorrectly."""
    import keras
    from keras import layers

    image = keras.Input((32, 32, 3))
    dense = layers.Dense(4, activation="softmax")
    model = keras.Model(image, dense(layers.GlobalAveragePooling2D()(image)))
    dense.set_weights([60 * np.eye(3, 4)[:, [0, 1, 3, 2]].astype("f4"), np.array([0, 0, -90, 0], "f4")])
    return model


def squares(folder, count=6):
    """Pictures of one bright cell in the middle of a 16 x 16 box, red masked, green bare. Returns the COCO file."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for n in range(count):
        picture = np.full((SIZE, SIZE, 3), 20, np.uint8)
        x, y = 8 + 8 * (n % 5), 8 + 8 * (n % 3)
        picture[y : y + 8, x : x + 8] = (200, 160, 255) if n % 2 else (200, 255, 160)  # BGR
        cv2.imwrite(str(folder / "images" / f"{n}.png"), picture)
        images.append({"id": n, "file_name": f"{n}.png", "width": SIZE, "height": SIZE, "source": "squares"})
        box = {"bbox": [x - 4, y - 4, 16, 16], "category_id": 1 if n % 2 else 2, "iscrowd": 0}
        annotations.append({"id": n, "image_id": n, **box})
    (folder / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder / "coco.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Keras files, data, and a bundle published from them."""
    from convert.bundle import publish
    from convert.config import ConvertConfig

    folder = tmp_path_factory.mktemp("convert")
    bright_squares().save(folder / "detector.keras")
    red_or_not().save(folder / "classifier.keras")
    data = squares(folder / "data")
    config = ConvertConfig(
        width=SIZE, height=SIZE, shapes=[TALL, (SIZE, SIZE), TALL], box_margin=(0, 0, 0, 0), data={"blocks": "none"}
    )
    publish.publish(folder / "detector.keras", folder / "classifier.keras", data, data, folder / "bundle", config)
    return folder


def test_bundle_runs_on_both_engines_with_the_same_answers(made):
    from convert.verification import verify
    from edge.vision import bundle

    pictures = verify.detectors(bundle.load(made / "bundle"))
    image = cv2.cvtColor(cv2.imread(str(made / "data" / "images" / "1.png")), cv2.COLOR_BGR2RGB)
    for detector in pictures.values():
        best = detector.rows(image)[0]
        assert np.abs(best[:4] - [12, 12, 28, 28]).max() < 1
        assert best[5] == 1.0


def test_a_tall_picture_is_looked_at_in_the_tall_shape_on_both_engines(made):
    """Two squares, 96 pixels apart: one run at full size finds both, where a square input would halve them."""
    from convert.verification import verify
    from edge.vision import bundle

    loaded = bundle.load(made / "bundle")
    assert [(one.input.width, one.input.height) for one in loaded.detector.shapes] == [TALL]
    image = np.full((TALL[1], TALL[0], 3), 20, np.uint8)
    image[16:24, 16:24] = image[112:120, 16:24] = (255, 160, 200)
    for detector in verify.detectors(loaded).values():
        rows = detector.rows(image)
        found = rows[rows[:, 4] >= detector.operating]
        assert np.abs(np.sort(found[:, :4], 0) - [[12, 12, 28, 28], [12, 108, 28, 124]]).max() < 1


def test_int8_file_takes_and_gives_int8(made):
    from edge.vision import bundle

    loaded = bundle.load(made / "bundle")
    for network in (loaded.detector, loaded.classifier):
        assert network.quantisation["input"].dtype == "int8"
        assert abs(network.quantisation["input"].scale - 2 / 255) < 1e-4
        assert {network.quantisation[name].dtype for name in network.outputs} == {"int8"}


def test_known_answer_is_what_the_engine_says(made):
    from edge.backends import tflite
    from edge.vision import bundle

    loaded = bundle.load(made / "bundle")
    for name, network in loaded.networks.items():
        with np.load(loaded.known_answer(name)) as known:
            said = tflite.open(loaded, name, 2).infer(known["input"])
            for output, values in zip(network.outputs, said, strict=True):
                np.testing.assert_allclose(values, known[output], atol=0.1)


def test_report_in_bundle_has_float_and_int8(made):
    values = json.loads((made / "bundle" / "bundle.json").read_text())
    assert values["accuracy"]["int8"]["label_accuracy"] == 1.0
    assert values["accuracy"]["float"]["face_ap"] > 0.9
    assert values["accuracy"]["sources"]["squares"]["pictures"] == 6


def test_card_tells_use_data_and_figures(made):
    text = (made / "bundle" / "card.md").read_text()
    for words in (
        "Not for: identifying",
        "- blocks: none",
        "| face_ap |",
        "squares",
        "64 x 64 or 64 x 128",
        "](limits.jpg)",
    ):
        assert words in text
    assert cv2.imread(str(made / "bundle" / "limits.jpg")).shape[1] == 750


def test_card_tells_the_hard_cases_that_the_training_measured(made):
    from convert.bundle.card import card

    values = json.loads((made / "bundle" / "bundle.json").read_text())
    assert "| case |" not in card(values)
    cases = {"bare behind a drawn hand": {"accuracy": 0.75, "faces": 8}}
    values["training"]["classifier"] = {"val": {"hard_cases": cases}}
    assert "| bare behind a drawn hand | 0.750 | 8 |" in card(values)


def test_four_labels_are_published_with_what_the_classifier_rejects(made, tmp_path, monkeypatch):
    """One blue square is no face: the detector alarms, the classifier says what it is."""
    from convert.bundle import publish
    from convert.config import ConvertConfig

    data = squares(tmp_path / "data")
    blue = np.full((SIZE, SIZE, 3), 20, np.uint8)
    blue[24:32, 24:32] = (255, 200, 160)
    cv2.imwrite(str(data.parent / "images" / "blue.png"), blue)
    coco = json.loads(data.read_text())
    coco["images"].append({"id": 99, "file_name": "blue.png", "width": SIZE, "height": SIZE, "source": "squares"})
    data.write_text(json.dumps(coco))
    red_green_or_blue().save(tmp_path / "classifier.keras")
    config = ConvertConfig(width=SIZE, height=SIZE, shapes=[], box_margin=(0, 0, 0, 0))
    publish.publish(made / "detector.keras", tmp_path / "classifier.keras", data, data, tmp_path / "bundle", config)
    values = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert values["classifier"]["labels"] == ["with_mask", "without_mask", "mask_worn_incorrectly", "not_a_face"]
    assert values["accuracy"]["int8"]["label_accuracy"] == 1.0
    assert values["accuracy"]["int8"]["false_per_image"] == 0
    veto = values["accuracy"]["not_a_face"]
    assert (veto["alarms"], veto["alarms_rejected"], veto["faces"], veto["faces_rejected"]) == (1, 1, 6, 0)
    assert "rejects 100% as no face" in (tmp_path / "bundle" / "card.md").read_text()
    assert values["detector"]["joint_threshold"] < values["detector"]["score_threshold"]

    kept = values["detector"]["joint_threshold"]
    another = kept / 2
    changed = values | {"detector": values["detector"] | {"joint_threshold": another}}
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(changed))
    for enough, chosen in ((len(coco["images"]) + 1, another), (1, kept)):
        monkeypatch.setattr(publish, "ENOUGH", enough)
        two = [tmp_path / "bundle", tmp_path / "classifier.keras", data, data, tmp_path / f"of-{enough}"]
        publish.publish(*two, config, None, True)
        said = json.loads((tmp_path / f"of-{enough}" / "bundle.json").read_text())["detector"]
        assert said["joint_threshold"] == chosen, f"{enough} pictures are enough"

    publish.publish(tmp_path / "bundle", made / "classifier.keras", data, data, tmp_path / "two", config, None, True)
    kept = json.loads((tmp_path / "two" / "bundle.json").read_text())["detector"]
    assert kept["joint_threshold"] is None, "its classifier does not know what is no face"
    assert kept["score_threshold"] == values["detector"]["score_threshold"]


def test_a_network_of_a_bundle_is_kept_as_it_is(made):
    from convert import cli
    from edge.vision import bundle

    data, old = str(made / "data" / "coco.json"), bundle.load(made / "bundle")
    grown = f"width = {SIZE}\nheight = {SIZE}\nshapes = [[64, 96]]\nbox_margin = [0.1, 0.1, 0.1, 0.1]\nmargin = 0.05\n"
    (made / "grown.toml").write_text(grown)
    args = ["--calibration", data, "--validation", data, "--config", str(made / "grown.toml")]
    models = ["--detector", str(made / "detector.keras"), "--classifier", str(made / "bundle")]
    assert cli.main(["bundle", *models, *args, "--out", str(made / "second")]) == 0
    new = bundle.load(made / "second")
    for form in ("tflite", "onnx"):
        assert new.path("classifier", form).read_bytes() == old.path("classifier", form).read_bytes()
        assert new.path("detector", form).read_bytes() != old.path("detector", form).read_bytes()
    assert list(new.networks) == ["detector", "classifier", "detector-64x96"]
    assert new.classifier.margin == old.classifier.margin == 0.15, "measured for the network that is kept"
    assert new.training["boxes"]["box_margin"] == [0.1] * 4


def test_a_bundle_that_is_packed_anew_keeps_every_setting(made, tmp_path, capsys):
    from convert.bundle import publish
    from convert.config import ConvertConfig
    from edge.vision import bundle

    data, old = made / "data" / "coco.json", bundle.shipped()
    config = ConvertConfig(margin=0.3, box_margin=(0, 0, 0, 0), nms_iou=0.6, false_alarms=0.5, edgetpu=False)
    publish.publish(old, old, data, data, tmp_path / "new", config)
    old, new = bundle.load(old), bundle.load(tmp_path / "new")
    assert new.detector == old.detector
    assert new.classifier == old.classifier
    assert new.training["boxes"] == old.training["boxes"]
    assert new.training["data"] == old.training["data"]
    assert "not told apart" in capsys.readouterr().out


def test_what_is_surely_worse_is_refused_unless_told(made, tmp_path, capsys):
    from convert import cli
    from convert.bundle import publish

    data = str(made / "data" / "coco.json")
    wrong = red_or_not()
    wrong.layers[-1].set_weights([-w for w in wrong.layers[-1].get_weights()])
    wrong.save(tmp_path / "wrong.keras")
    args = ["bundle", "--detector", str(made / "bundle"), "--classifier", str(tmp_path / "wrong.keras")]
    args += ["--calibration", data, "--validation", data, "--against", str(made / "bundle")]
    assert cli.main([*args, "--out", str(tmp_path / "b")]) == 2
    error = capsys.readouterr().err
    assert "surely worse than" in error
    assert "label_accuracy 1.000 -> 0.000" in error
    assert not (tmp_path / "b").exists()
    assert cli.main([*args, "--out", str(tmp_path / "b"), "--even-if-worse"]) == 0
    assert "published although surely worse" in capsys.readouterr().out
    text = (tmp_path / "b" / "card.md").read_text()
    assert "| label_accuracy | 0.0000 | 1.0000 | -1.0000 to -1.0000 |" in text
    assert "classifier's pictures: not recorded" in text
    assert publish.MOST_MISSING < 0.5


def test_a_classifier_alone_is_measured_on_a_folder_per_class(made, tmp_path, capsys):
    """... and nothing is said of finding faces, which such pictures cannot tell."""
    from convert import cli

    for label, colour in (("mask", (160, 160, 255)), ("no mask", (160, 255, 160))):
        (tmp_path / "set" / label).mkdir(parents=True)
        for n in range(4):
            picture = np.full((32, 32, 3), colour, np.uint8)  # BGR
            cv2.imwrite(str(tmp_path / "set" / label / f"{n}.png"), picture - n)
    args = ["bundle", "--classifier", str(made / "classifier.keras"), "--out", str(tmp_path / "b")]
    args += [
        "--calibration",
        str(tmp_path / "set"),
        "--validation",
        str(tmp_path / "set"),
        "--against",
        str(made / "bundle"),
    ]
    assert cli.main(args) == 0, capsys.readouterr().err
    values = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert values["accuracy"]["int8"]["label_accuracy"] == 1.0
    assert values["accuracy"]["int8"]["face_ap"] is None
    assert "Only 8 pictures" in capsys.readouterr().out
    assert cli.main([*args[:1], "--detector", str(made / "detector.keras"), *args[1:]]) == 2
    assert "a new detector is measured on whole scenes" in capsys.readouterr().err


def test_no_configuration_is_the_shipped_one():
    from pathlib import Path

    from convert.config import load

    assert load(Path("configs/convert.toml")).model_copy(update={"data": {}}) == load(None)


def test_refuses_to_publish_below_the_agreement(made, monkeypatch, capsys):
    """A second bundle whose int8 answers are spoilt must not replace the first."""
    from convert import cli
    from convert.bundle import contents

    before = (made / "bundle" / "bundle.json").read_bytes()
    real = contents.to_tflite

    def spoilt(model, samples):
        if len(model.outputs) == 1:
            weights = model.get_weights()
            model.set_weights([-weights[0], weights[1]])
            data = real(model, samples)
            model.set_weights(weights)
            return data
        return real(model, samples)

    monkeypatch.setattr(contents, "to_tflite", spoilt)
    config = made / "c.toml"
    config.write_text(f"width = {SIZE}\nheight = {SIZE}\n")
    data = str(made / "data" / "coco.json")
    args = ["--calibration", data, "--validation", data, "--out", str(made / "bundle"), "--config", str(config)]
    code = cli.main(
        ["bundle", "--detector", str(made / "detector.keras"), "--classifier", str(made / "classifier.keras"), *args]
    )
    assert code == 2
    assert "label_accuracy" in capsys.readouterr().err
    assert (made / "bundle" / "bundle.json").read_bytes() == before
    assert not list(made.glob(".bundle-*"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "no such file"),
        ("version https://git-lfs.github.com/spec/v1\n", "Git-LFS pointer"),
        ("zip?", "not a Keras"),
    ],
)
def test_bad_model_is_one_line_and_exit_2(made, tmp_path, capsys, text, expected):
    from convert import cli

    model = tmp_path / "m.keras"
    if text is not None:
        model.write_text(text)
    data = str(made / "data" / "coco.json")
    args = ["--classifier", str(made / "classifier.keras"), "--calibration", data, "--validation", data]
    assert cli.main(["bundle", "--detector", str(model), *args, "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_does_not_overwrite_a_folder_that_is_no_bundle(made, tmp_path, capsys):
    from convert import cli

    (tmp_path / "thesis.txt").write_text("years of work")
    data = str(made / "data" / "coco.json")
    models = ["--detector", str(made / "detector.keras"), "--classifier", str(made / "classifier.keras")]
    assert cli.main(["bundle", *models, "--calibration", data, "--validation", data, "--out", str(tmp_path)]) == 2
    assert "not a bundle" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_sizes_measures_every_size_and_draws_the_curve(made, tmp_path, capsys):
    from convert import cli

    data = str(made / "data" / "coco.json")
    args = ["--detector", str(made / "detector.keras"), "--calibration", data, "--validation", data]
    assert cli.main(["sizes", *args, "--plot", str(tmp_path / "s.png"), "64x64", "128x128"]) == 0
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split()[0] for row in rows] == ["64x64", "128x128"]
    assert float(rows[0].split()[1]) > 0.9
    assert (tmp_path / "s.png").stat().st_size > 5000


@pytest.mark.parametrize("size", ["320", "320x", "100x100", "0x64", "axb"])
def test_a_wrong_size_is_one_line(made, tmp_path, capsys, size):
    from convert import cli

    data = str(made / "data" / "coco.json")
    args = ["--detector", str(made / "detector.keras"), "--calibration", data, "--validation", data]
    assert cli.main(["sizes", *args, "--plot", str(tmp_path / "s.png"), size]) == 2
    assert f"size '{size}'" in capsys.readouterr().err


@pytest.mark.parametrize("older", [False, True])
def test_the_tutorials_model_is_read_by_what_it_is(tmp_path, older):
    """HDF5 under another name, and as Keras 2 wrote its depthwise convolutions."""
    import h5py
    import keras

    from convert.networks import keras_models

    image = keras.Input((32, 32, 3))
    flat = keras.layers.Flatten()(keras.layers.DepthwiseConv2D(3)(image))
    keras.Model(image, keras.layers.Dense(2, activation="softmax")(flat)).save(tmp_path / "m.h5")
    if older:
        with h5py.File(tmp_path / "m.h5", "r+") as file:
            config = json.loads(file.attrs["model_config"])
            for layer in config["config"]["layers"]:
                if layer["class_name"] == "DepthwiseConv2D":
                    layer["config"]["groups"] = 1
            file.attrs["model_config"] = json.dumps(config)
    (tmp_path / "m.h5").rename(tmp_path / "mask_detector.model")
    assert keras_models.fixed(keras_models.read(tmp_path / "mask_detector.model")).output_shape == (1, 2)


def test_keys_that_changed_their_name_still_work(tmp_path, capsys):
    from convert.config import load

    (tmp_path / "c.toml").write_text("overlap = 0.55\ngrowth = [0.1, 0.2, 0.3, 0.4]\n")
    config = load(tmp_path / "c.toml")
    assert (config.nms_iou, config.box_margin) == (0.55, (0.1, 0.2, 0.3, 0.4))
    said = capsys.readouterr().err
    assert "'overlap' is now 'nms_iou'" in said
    assert "'growth' is now 'box_margin'" in said
