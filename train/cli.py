"""`maskcam-train`: trains the face detector and the mask classifier, and measures models."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge.cli.arguments import labels, positive, renamed
from edge.core.errors import ConfigError, DataError, MaskcamError, MissingPackage
from edge.core.native_output import open_standard_streams, silence_native_output
from edge.core.paths import any_path, meant
from edge.core.plain_text import plain
from edge.core.supplied import readable_path
from train import descriptions


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        "maskcam-train", description=__doc__, epilog=descriptions.EXAMPLES, formatter_class=raw
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_classifier,
        _add_tune,
        _add_label,
        _add_inspect,
        _add_detector,
        _add_settle,
        _add_crops,
        _add_evaluate,
    ):
        add(commands)
    return top


def _command(
    commands: Any, name: str, run: Callable[..., None], purpose: str, description: str = "", light: bool = False
) -> argparse.ArgumentParser:
    """A new command; one that is `light` needs no Keras."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=description or None, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run, light=light, resumes=name in ("classifier", "tune", "detector"))
    return parser


def _path(parser: argparse.ArgumentParser, name: str, metavar: str, help: str, **options: Any) -> None:
    """A file or a folder that is read (written: `type=any_path`); where it has a default, the help tells it."""
    if options.get("default"):
        help += " (default: %(default)s)"
    parser.add_argument(name, metavar=metavar, help=help, **{"type": readable_path, **options})


def _paths(parser: argparse.ArgumentParser, name: str, metavar: str, help: str, required: bool = False) -> None:
    """Files or folders, each behind its own `name`."""
    options: dict[str, Any] = {"required": True} if required else {"default": []}
    _path(parser, name, metavar, f"{help}; may be repeated", action="append", **options)


def _threads(parser: argparse.ArgumentParser) -> None:
    """--workers of a training of the classifier."""
    threads = "threads that make batches; the network that comes out is the same (default: %(default)s)"
    parser.add_argument("--workers", type=positive(int, 256), default=2, metavar="N", help=threads)


def _add_classifier(commands: Any) -> None:
    p = _command(commands, "classifier", _classifier, "train the mask classifier", descriptions.CLASSIFIER)
    config = "a TOML file such as configs/train/classifier.toml, or vgg16 (default: own, which goes on from --start)"
    _path(p, "config", "CONFIG", config, nargs="?")
    _paths(p, "--data", "PATH", "labelled faces", required=True)
    start = "a trained classifier to go on from (default with own: the shipped one)"
    _path(p, "--start", "BUNDLE|FILE.keras", start)
    labels(p)
    _paths(p, "--also", "PATH", "a further set, only measured")
    _path(p, "--workdir", "DIR", descriptions.WORKDIR, type=any_path, default=Path("runs/classifier"))
    p.add_argument("--weights", type=meant, metavar="FILE.weights.h5", help=descriptions.WEIGHTS)
    _threads(p)


def _add_tune(commands: Any) -> None:
    p = _command(commands, "tune", _tune, "tune a bundle's classifier for one door", descriptions.TUNE)
    _paths(p, "--data", "DOOR", "labelled faces", required=True)
    _path(p, "--start", "BUNDLE", "the bundle to go on from (default: the shipped one)")
    general = "labelled faces of the world on which it must not fall, besides the drawn ones"
    _paths(p, "--general", "PATH", general)
    labels(p)
    _path(p, "--workdir", "DIR", descriptions.WORKDIR, type=any_path, default=Path("runs/door"))
    _path(p, "--config", "FILE.toml", "another recipe, as for maskcam-train classifier", default=Path("door"))
    p.add_argument(
        "--no-detector", action="store_true", help="tune the classifier alone, however many scenes there are"
    )
    _threads(p)


def _add_label(commands: Any) -> None:
    p = _command(
        commands, "label", _label, "say what the faces of a set are, in a browser", descriptions.LABEL, light=True
    )
    _path(p, "data", "DATA", "a folder of pictures, or COCO annotations")
    _path(p, "--bundle", "DIR", "whose guesses are shown first (default: the shipped bundle)")
    p.add_argument("--port", type=int, default=8766, metavar="N", help="of the page (default: %(default)s)")


def _add_inspect(commands: Any) -> None:
    p = _command(
        commands, "inspect", _inspect, "say what a data set is, and what is doubtful in it", descriptions.INSPECT, True
    )
    _path(p, "data", "DATA", "one set or several, which are compared", nargs="+")
    labels(p)
    _path(p, "--bundle", "DIR", "whose classifier is asked about the labels (default: the shipped one)")
    _path(p, "--sheet", "FILE.jpg", "also write a contact sheet, doubtful faces first", type=any_path)


def _add_detector(commands: Any) -> None:
    p = _command(commands, "detector", _detector, "train the face detector", descriptions.DETECTOR)
    _path(p, "config", "CONFIG.toml", "such as configs/train/detector.toml, which comes with maskcam, or door-detector")
    _paths(p, "--data", "TRAIN", "annotated scenes", required=True)
    _path(p, "--val", "VAL", "annotated scenes for the AP of each epoch", required=True)
    _path(p, "--workdir", "DIR", descriptions.WORKDIR, type=any_path, required=True)
    p.add_argument("--weights", type=meant, metavar="FILE.onnx", help=descriptions.YUNET)
    _path(p, "--start", "FILE.keras|BUNDLE", "a trained detector to go on from; then --weights is not needed")
    workers = "processes that make batches; a GPU waits for fewer than all cores (default: %(default)s)"
    p.add_argument("--workers", type=int, default=1, metavar="N", help=workers)
    memory = "decoded pictures that are kept; others are read again when they are shown (default: %(default)s)"
    p.add_argument("--memory", type=int, default=4000, metavar="MB", help=memory)


def _add_settle(commands: Any) -> None:
    purpose = "draw all boxes in one style, ignore faces nobody annotated"
    p = _command(commands, "settle", _settle, purpose, descriptions.SETTLE)
    _path(p, "data", "TRAIN.json", "COCO, its pictures in images/; stays as it is")
    _path(p, "--out", "SETTLED.json", "where the result is written", type=any_path, required=True)
    _paths(p, "--teacher", "FILE.onnx", "YuNet, then Ultra-Light RFB-640", required=True)
    _path(p, "--bundle", "DIR", "the third detector (default: the shipped bundle)")
    trust = "its annotations stay; may be repeated"
    p.add_argument("--trust", action="append", default=[], metavar="SOURCE", help=trust)


def _add_crops(commands: Any) -> None:
    purpose = "cut out what a detector finds, for the classifier"
    p = _command(commands, "crops", _crops, purpose, descriptions.CROPS, light=True)
    _path(p, "data", "DATA", "annotated scenes, one set or several", nargs="+")
    _path(p, "--out", "DIR", "a new folder for crops.csv and images/", type=any_path, required=True)
    _path(p, "--bundle", "DIR", "whose detector looks (default: the shipped bundle)")
    _paths(p, "--teacher", "FILE.onnx", "YuNet, then Ultra-Light RFB-640")
    looks = "at each scene, the first at it as it is, the others turned and badly lit (default: %(default)s)"
    p.add_argument("--looks", type=positive(int, 100), default=2, metavar="N", help=looks)


def _add_evaluate(commands: Any) -> None:
    p = _command(
        commands, "evaluate", _evaluate, "measure a model or a bundle on annotated pictures", descriptions.EVALUATE
    )
    labels(p)
    _path(p, "--data", "DATA", "annotated pictures", required=True)
    model = p.add_mutually_exclusive_group(required=True)
    for name, metavar, help in (
        ("--bundle", "DIR", "a converted bundle: detector and classifier together"),
        ("--classifier", "FILE.keras", "a classifier, on the annotated boxes"),
        ("--detector", "FILE.keras", "a detector: its COCO AP"),
    ):
        model.add_argument(name, type=readable_path, metavar=metavar, help=help)
    backend = "what runs a bundle (default: %(default)s)"
    p.add_argument("--backend", default="tflite", choices=("tflite", "opencv"), help=backend)


def _import_quietly() -> None:
    """Imports Keras and its backend; TensorFlow greets from C++ on stderr before any log level is looked at."""
    with silence_native_output():
        import keras  # noqa: F401  (for its noise)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that small sets are predicted one after another


def _classifier(args: argparse.Namespace) -> None:
    from edge.vision import bundle
    from train.classifier import training
    from train.config import RECIPES, recipe

    if args.start and args.weights:
        raise ConfigError("--start and --weights: expected one of them, each says where the weights come from")
    config = args.config or Path("own")
    own = args.config is None or recipe(config) == RECIPES / "own.toml"
    start = args.start or (bundle.shipped() if own and not args.weights else None)
    training.run(config, args.data, args.workdir, args.weights, args.also, start, renamed(args), args.workers)
    print(f"\nmake a bundle of it: maskcam-convert bundle --classifier {args.workdir}", flush=True)


def _tune(args: argparse.Namespace) -> None:
    from edge.vision import bundle
    from train.classifier import tune
    from train.detector import door

    start = args.start or bundle.shipped()
    tune.run(args.config, args.data, start, args.workdir, args.general, renamed(args), args.workers)
    more = ""
    if not args.no_detector and (found := door.run(args.data, start, args.workdir, args.general, renamed(args))):
        more = f" --detector {found} --calibration {found / door.TRAIN} --validation {found / door.VAL}"
    print(f"\nmake a bundle of it: maskcam-convert bundle --classifier {args.workdir}{more}", flush=True)


def _label(args: argparse.Namespace) -> None:
    from edge.vision import bundle

    try:
        from train.labelling import page
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("train", "edge"):
            raise
        raise MissingPackage(error.name or "?", "web") from error

    def opened(address: str) -> None:
        print(f"label at {address} until Ctrl-C; everything is kept at once", flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        page.run(args.data, args.bundle or bundle.shipped(), args.port, opened)
    print("\ntrain with it: maskcam-train tune --data " + str(args.data), flush=True)


def _inspect(args: argparse.Namespace) -> None:
    from edge.backends import tflite
    from edge.core.progress import Progress
    from edge.evaluation import formats
    from edge.evaluation.runner import mask_classifier
    from edge.runtime.outputs import PICTURES, check_output
    from edge.vision import bundle
    from train.inspection import sheet, survey

    names = renamed(args)
    if args.sheet:
        check_output(args.sheet, "", PICTURES, overwrite=True)
    found = bundle.load(args.bundle or bundle.shipped())
    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        network = tflite.open(found, "classifier", 2)
    classifier = mask_classifier(network, found)
    with Progress("looking", unit="pictures") as progress:
        result = survey.survey(args.data, names, classifier, found.classifier.labels, progress=progress.update)
    print(plain(survey.text(result)))
    if args.sheet:
        truths = [truth for path in args.data for truth in formats.read(path, names, things=True)]
        count = sheet.write_sheet(args.sheet, truths, result.doubts)
        print(f"\n{count} faces on {args.sheet}, doubtful ones first")


def _detector(args: argparse.Namespace) -> None:
    from train.detector import training

    if args.workers < 1 or args.memory < 1:
        raise ConfigError(f"--workers {args.workers}, --memory {args.memory}: expected 1 or more of each")
    training.run(args.config, args.data, args.val, args.workdir, args.weights, args.start, args.workers, args.memory)


def _settle(args: argparse.Namespace) -> None:
    from train.settle import annotations

    if len(args.teacher) != 2:
        raise DataError(f"--teacher: {len(args.teacher)} given; expected two, YuNet's file, then Ultra-Light RFB-640's")
    annotations.run(args.data, args.out, args.teacher, args.bundle, args.trust)


def _crops(args: argparse.Namespace) -> None:
    from train.settle import crops

    crops.run(args.data, args.out, args.bundle, args.teacher, args.looks)


def _evaluate(args: argparse.Namespace) -> None:
    from train import evaluate

    evaluate.main(args, renamed(args))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0; 2 with one line on stderr for anything the user can mend; 130 after Ctrl-C."""
    open_standard_streams()
    args = parser().parse_args(argv)
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "3"
    )  # before TensorFlow is imported, or it tells of every GPU it lacks
    try:
        if not args.light:
            _import_quietly()
        args.run(args)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("train", "edge"):
            raise
        return _fail(MissingPackage(error.name or "?", "train"))
    except (MaskcamError, OSError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        later = "the same command goes on after the last finished epoch" if args.resumes else "nothing was written"
        print(f"\nmaskcam-train: stopped; {later}", file=sys.stderr)
        return 130
    return 0


def _fail(error: Exception) -> int:
    print(f"maskcam-train: error: {plain(str(error))}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
