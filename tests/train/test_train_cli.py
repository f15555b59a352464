import json
import logging
import subprocess
import sys

import pytest

from edge.core.errors import ConfigError
from train import cli


def refused(argv, capsys):
    """The one line that `argv` is refused with."""
    pytest.importorskip("keras", reason="needs the extra 'train'")
    pytest.importorskip("tensorflow", reason="needs the extra 'train'")
    assert cli.main(argv) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("maskcam-train: error: ")
    assert "\n" not in line
    return line


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        'weights = "none"\n[head]\nepochs = 1\nlearning_rate = 1e-3\n[tune]\nepochs = 0\nlearning_rate = 1\n'
    )
    return path


def classifier(config, data, workdir, *more):
    return ["classifier", str(config), "--data", str(data), "--workdir", str(workdir), *map(str, more)]


def test_missing_data_is_one_line_and_writes_nothing(config, tmp_path, capsys):
    assert "nowhere: no such file or folder" in refused(
        classifier(config, tmp_path / "nowhere", tmp_path / "w"), capsys
    )
    assert not (tmp_path / "w").exists()


def test_a_folder_without_pictures_is_one_line(config, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "(with_mask, without_mask)" in refused(classifier(config, tmp_path / "empty", tmp_path / "w"), capsys)


def test_a_missing_config_is_one_line(tmp_path, capsys):
    assert "none.toml: no such file" in refused(classifier(tmp_path / "none.toml", tmp_path, tmp_path / "w"), capsys)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("batchsize = 3", "batchsize: no such key"),
        ("batch = 'many'", "batch"),
        ("size = 8", "size = 8"),
        ("balance = [0.6, 0.6]", "add up to 1.2"),
        ("=", "TOML"),
        ("seed = -1", "seed = -1"),
        ("seed = 4294967296", "seed = 4294967296"),
        ("label_smoothing = nan", "label_smoothing = nan"),
        ("margin = inf", "margin = inf"),
        (
            "augmentation = {margin = [0.4, 0.0]}",
            "augmentation.margin = [0.4, 0.0]: expected two numbers from 0 on, the smaller one first",
        ),
        ("augmentation = {margin = [-0.6, -0.5]}", "augmentation.margin = [-0.6, -0.5]"),
        ("augmentation = {far_side = [0.0, 48.0]}", "augmentation.far_side = [0.0, 48.0]"),
    ],
)
def test_a_bad_config_names_the_key(config, tmp_path, capsys, line, says):
    config.write_text(line + "\n" + config.read_text())
    assert says in refused(classifier(config, tmp_path, tmp_path / "w"), capsys)


def test_an_untrained_head_is_refused(config, tmp_path, capsys):
    config.write_text(config.read_text().replace("epochs = 1", "epochs = 0"))
    assert "head.epochs = 0" in refused(classifier(config, tmp_path, tmp_path / "w"), capsys)


def test_arguments_that_are_missing_are_said_by_argparse(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["classifier", "c.toml"])
    assert stopped.value.code == 2
    assert "--data" in capsys.readouterr().err


def test_help_of_the_detector_tells_where_its_weights_come_from(capsys):
    with pytest.raises(SystemExit):
        cli.main(["detector", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet (MIT)",
        "--weights face_detection_yunet_2023mar.onnx \\ --data settled/train.json",
        "--weights FILE.onnx YuNet's file",
    ):
        assert words in said


@pytest.mark.parametrize("command", [[], ["classifier"], ["detector"], ["evaluate"]])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert stopped.value.code == 0
    assert "usage: maskcam-train" in capsys.readouterr().out


def test_what_tensorflow_warns_about_is_not_shown(monkeypatch):
    pytest.importorskip("tensorflow", reason="needs the extra 'train'")
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "level", logging.WARNING)
    cli._import_quietly()
    assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.ERROR)


def test_a_missing_package_names_the_extra(config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, "_classifier", _without_tensorflow)
    assert cli.main(classifier(config, tmp_path, tmp_path / "w")) == 2
    assert "pip install '.[train]' in maskcam's folder" in capsys.readouterr().err


def _without_tensorflow(args):
    raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(config, tmp_path, capsys, monkeypatch):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_import_quietly", lambda: None)
    monkeypatch.setattr(cli, "_classifier", interrupted)
    assert cli.main(classifier(config, tmp_path, tmp_path / "w")) == 130
    assert "goes on after the last finished epoch" in capsys.readouterr().err


def test_ctrl_c_promises_to_go_on_only_where_it_does(tmp_path, capsys, monkeypatch):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_inspect", interrupted)
    assert cli.main(["inspect", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "\nmaskcam-train: stopped; nothing was written\n"


@pytest.mark.parametrize("command", ["classifier", "tune"])
def test_the_number_of_threads_reaches_the_training_of_a_classifier(command, monkeypatch):
    pytest.importorskip("tensorflow", reason="needs the extra 'train'")
    from train.classifier import training, tune
    from train.detector import door

    taken = []
    for module in (training, tune):
        monkeypatch.setattr(module, "run", lambda *args: taken.append(args[-1]))
    monkeypatch.setattr(door, "run", lambda *args: None)
    for more in ([], ["--workers", "7"]):
        assert cli.main([command, "--data", "x", *more]) == 0
    assert taken == [2, 7]


@pytest.mark.parametrize(("more", "detector"), [([], True), (["--no-detector"], False)])
def test_tune_goes_on_with_the_detector_and_says_how_to_make_a_bundle_of_both(more, detector, capsys, monkeypatch):
    pytest.importorskip("tensorflow", reason="needs the extra 'train'")
    from train.classifier import tune
    from train.detector import door

    monkeypatch.setattr(tune, "run", lambda *args: {})
    monkeypatch.setattr(door, "run", lambda data, start, workdir, *rest: workdir / "detector")
    assert cli.main(["tune", "--data", "x", "--workdir", "w", *more]) == 0
    both = " --detector w/detector --calibration w/detector/train.json --validation w/detector/val.json"
    made = capsys.readouterr().out.splitlines()[-1]
    assert made == f"make a bundle of it: maskcam-convert bundle --classifier w{both if detector else ''}"


@pytest.mark.parametrize("count", ["0", "-1", "257", "many"])
def test_a_number_of_threads_that_is_none_is_refused(count, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["classifier", "--data", "x", "--workers", count])
    assert stopped.value.code == 2
    assert "--workers" in capsys.readouterr().err


def test_help_needs_no_tensorflow():
    code = (
        "import sys, train.cli; train.cli.parser(); sys.exit(bool({'tensorflow', 'keras', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shipped_configurations_are_valid():
    pytest.importorskip("pydantic")
    from pathlib import Path

    from train.config import ClassifierConfig, load, load_stages

    folder = Path(__file__).parents[2] / "configs" / "train"
    splits = {
        "classifier": ["cluster"],
        "classifier-boxes": ["cluster"],
        "tutorial": ["random", "cluster"],
    }
    assert {name: load(folder / f"{name}.toml", ClassifierConfig).splits for name in splits} == splits
    detectors = {path.stem: load_stages(path) for path in folder.glob("detector*.toml")}
    assert {path.stem for path in folder.glob("*.toml")} == detectors.keys() | splits.keys()
    assert all(stage.epochs for stages in detectors.values() for stage in stages)


def test_keys_that_changed_their_name_still_work_and_one_line_names_the_new_one(tmp_path, capsys):
    from train.config import ClassifierConfig, DetectorConfig, load, load_stages

    (tmp_path / "d.toml").write_text("mistakes = 0.11\nmistakes_from = 0.22\n[[stage]]\nmistakes_sure = 0.33\n")
    (stage,) = load_stages(tmp_path / "d.toml")
    assert (stage.hard_examples, stage.hard_examples_from, stage.ignored_from) == (0.11, 0.22, 0.33)
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'd.toml'}: '{old}' is now '{new}'; the old name works until the next release"
        for old, new in DetectorConfig.renamed.items()
    ]
    phases = "[head]\nepochs = 1\nlearning_rate = 1e-3\n[tune]\nepochs = 0\nlearning_rate = 1e-3\n"
    (tmp_path / "c.toml").write_text('thaw_after = "block_9_add"\n' + phases)
    assert load(tmp_path / "c.toml", ClassifierConfig).unfreeze_after == "block_9_add"
    assert "'thaw_after' is now 'unfreeze_after'" in capsys.readouterr().err


def test_the_detectors_smallest_face_is_the_smaller_one(tmp_path):
    from train.config import load_stages

    path = tmp_path / "d.toml"
    path.write_text("smallest_face = 300.0\n")
    with pytest.raises(ConfigError, match=r"d.toml: smallest_face: expected largest_face \(230\) or less"):
        load_stages(path)


def test_keys_that_are_gone_are_said_to_be_and_what_to_do(tmp_path):
    from train.config import load_stages

    path = tmp_path / "d.toml"
    path.write_text("alpha = 1.0\nchannels = 64\nwidht = 64\n[[stage]]\nexpansion = 4\n")
    with pytest.raises(ConfigError) as caught:
        load_stages(path)
    lines = str(caught.value).splitlines()
    remedy = "is gone: the detector has one width, that of YuNet; take the line out"
    assert [line for line in lines if "is gone" in line] == [
        f"{path}: {key}: {remedy}" for key in ("alpha", "channels", "expansion")
    ]
    (typo,) = (line for line in lines if "is gone" not in line)
    assert typo.startswith(f"{path}: widht: no such key; known here: seed, ")


def test_a_working_folder_of_an_older_release_goes_on(tmp_path):
    pytest.importorskip("keras", reason="needs the extra 'train'")
    from train.config import DetectorConfig
    from train.fitting import loop

    old = DetectorConfig(hard_examples=0.2).model_dump()
    for key, new in DetectorConfig.renamed.items():
        old[key] = old.pop(new)
    (tmp_path / "settings.json").write_text(json.dumps({"config": old, "scenes": 3}))
    config = DetectorConfig(hard_examples=0.2)
    loop.lock_workdir(tmp_path, {"config": config.model_dump(), "scenes": 3}, DetectorConfig)
    assert "hard_examples" in (tmp_path / "settings.json").read_text()
    other = config.model_copy(update={"hard_examples": 0.3})
    with pytest.raises(ConfigError, match="other settings"):
        loop.check(tmp_path, {"config": other.model_dump(), "scenes": 3}, DetectorConfig)


@pytest.mark.parametrize("below", ["", "run"])
def test_a_working_folder_that_is_a_file_is_refused_before_anything_is_read(tmp_path, below):
    pytest.importorskip("keras", reason="needs the extra 'train'")
    from train.fitting import loop

    file = tmp_path / "door.jpg"
    file.write_text("a picture")
    with pytest.raises(ConfigError, match=r"--workdir .*door\.jpg.* is a file; expected a folder"):
        loop.check(file / below, {})
    assert file.read_text() == "a picture"


def test_a_start_that_is_not_there_is_said_before_a_picture_is_read(config, tmp_path, capsys):
    (tmp_path / "with_mask").mkdir()
    line = refused(classifier(config, tmp_path, tmp_path / "w", "--start", tmp_path / "none.keras"), capsys)
    assert "none.keras: no such file; expected a bundle, or the classifier.keras of a training" in line
