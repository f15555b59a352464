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
from edge.core.plain_text import plain
from edge.core.supplied import readable_path

CLASSIFIER = """\
Fine-tunes the mask classifier: first a new head, then the upper blocks of the backbone (BatchNorm frozen).

--data may be given several times; each is one of
  a folder with with_mask/ and without_mask/   every picture is one face; train/ and val/ above or below them
  a COCO .json, or the folder of an export     Roboflow, Label Studio, CVAT, makesense
  a folder of Pascal VOC .xml, a YOLO data.yaml
  a crops.csv, its pictures in images/         columns file,label,x0,y0,x1,y1 (box, source, cluster, split)
Classes go by many spellings (WithMask, no_mask, mask_weared_incorrect); for others say --label OLD=NEW.

Labels are with_mask, without_mask, mask_worn_incorrectly and not_a_face (what a detector took for a face: a table
or a folder of its alarms). `balance` in the configuration says which of them the network tells, and how often each
is shown; masks, masks that hang too low and things are also drawn.

Near-duplicates are kept on one side of the split. The working folder gets classifier.keras, report.txt,
report.json, card.md, history.png, confusion.png and reliability.png. Started again after a kill, training goes on
after the last finished epoch."""

TUNE = """\
Goes on from a bundle's classifier with a few hundred faces of one door: first the head, then the upper blocks.
The labels of the bundle stay, also where the door shows only some of them.

A part of the door's faces is held back (near-duplicates stay together). What was is compared with what has become on
those faces, and on a general check: heads and things drawn by code, and the sets that --general names. Where the check
falls, less of the change is taken; where even a fifth of it makes it fall, nothing is kept.

From 500 whole scenes with labelled faces on (`what = "frame"` of [collect]) the detector goes on too, in some twenty
minutes on two cores, and is compared in the same way; where it is surely worse, the bundle's stays.

Afterwards:
  maskcam-convert bundle --classifier runs/door --out door-bundle
  maskcam pack --bundle door-bundle --key minisign.key door.tar
  maskcam update door.tar                                   on the device"""

INSPECT = """\
Reads one data set or several, in any of the formats of maskcam-train classifier, and says what it found: pictures that
cannot be used and why, classes by part, sizes of the faces, near-duplicates, pictures to validate on that have a
near-duplicate to train on, and the labels that a bundle's classifier does not believe. Nothing is changed."""

LABEL = """\
Serves a page on this machine: one picture after the other, those about which the bundle is least sure first, its guess
on them; a key or a button says what each face is, the mouse corrects the boxes. Nothing is sent anywhere.

What is kept is written at once, whole: into the COCO file, or into coco.json in a folder of plain pictures. Guesses are
written nowhere. From another machine: ssh -L 8766:127.0.0.1:8766 THIS-MACHINE"""

DETECTOR = """\
Trains the face detector, in the stages that the configuration describes, and measures its AP after each epoch.

It begins as YuNet, whose layers it has: --weights names YuNet's file, face_detection_yunet_2023mar.onnx of the OpenCV
Zoo, https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet (MIT). --start goes on from a trained
detector instead, or from that of a bundle.

--data and --val are pictures of whole scenes whose faces have boxes: COCO, Pascal VOC, YOLO or crops.csv. Folders of
faces say no boxes and are refused.

The working folder gets detector.keras, report.json and the history. Started again, it goes on after the last epoch.

examples: from YuNet's weights to the end, twenty minutes on two cores with PyTorch; a trained one with your own scenes
  maskcam-train detector configs/train/detector.toml --weights face_detection_yunet_2023mar.onnx \\
      --data settled/train.json --val settled/val.json --workdir runs/face
  maskcam-train detector door-detector --start edge/shipped --data door.json --val door-val.json --workdir runs/door"""

EVALUATE = """\
Prints a table with a row per source of the pictures, and a row per kind of face.

--data is any set that maskcam-train classifier reads; a detector wants boxes on whole scenes, no folders of faces."""

SETTLE = """\
Two detectors that others trained, and the one of a bundle, look at every picture of a COCO file:
  a face on which they agree, inside a box of a whole head, takes the place of that box
  a head in which they agree on nothing is ignored, in a source that draws whole heads
  a place that nobody annotated is ignored when one of them is sure of a face there
  what only the bundle sees, and no teacher even doubts, is listed as a false alarm

Look at some of what it changed before you train: a teacher can be wrong."""

CROPS = """\
A bundle's detector looks at annotated scenes, and what it finds becomes a table for maskcam-train classifier:
  not_a_face                     a box at a place where nobody annotated a face
  with_mask, without_mask, ...   the box in which it found a face, where it doubted
Each scene is looked at twice: as it is, and turned and badly lit. A place where a --teacher sees a face is left out.

Every face must be annotated or ignored, or faces are taught as things: settle first, and look at what comes out:
  maskcam-train crops settled/train.json --out found
  maskcam-train inspect found --sheet found.jpg
  maskcam-train classifier CONFIG --data settled/train.json --data found"""

WORKDIR = "where everything is written"
WEIGHTS = "ImageNet weights of the backbone without top (.weights.h5) instead of the configuration's"
YUNET = "YuNet's file, which the training begins with, instead of the configuration's; 'none': random weights"

EXAMPLES = """\
examples:
  maskcam-train classifier --data dataset
  maskcam-train inspect dataset --sheet sheet.jpg
  maskcam-train label door
  maskcam-train tune --data door --start edge/shipped
  maskcam-train classifier configs/train/classifier.toml --data crops.csv --data train.json --workdir runs/mask
  maskcam-train classifier configs/train/tutorial.toml --data tutorial/ --also crops.csv --workdir runs/tutorial
  maskcam-train detector configs/train/detector.toml --weights face_detection_yunet_2023mar.onnx \\
      --data settled/train.json --val settled/val.json --workdir runs/face
  maskcam-train detector door-detector --start edge/shipped --data door.json --val door-val.json --workdir runs/door
  maskcam-train evaluate --data val.json --classifier runs/mask/classifier.keras"""


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("maskcam-train", description=__doc__, epilog=EXAMPLES, formatter_class=raw)
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
    """A file or a folder that is read (written: `type=Path`); where it has a default, the help tells it."""
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
    p = _command(commands, "classifier", _classifier, "train the mask classifier", CLASSIFIER)
    config = "a TOML file such as configs/train/classifier.toml, or vgg16 (default: own, which goes on from --start)"
    _path(p, "config", "CONFIG", config, nargs="?")
    _paths(p, "--data", "PATH", "labelled faces", required=True)
    start = "a trained classifier to go on from (default: the shipped one where no CONFIG is given)"
    _path(p, "--start", "BUNDLE|FILE.keras", start)
    labels(p)
    _paths(p, "--also", "PATH", "a further set, only measured")
    _path(p, "--workdir", "DIR", WORKDIR, type=Path, default=Path("runs/classifier"))
    p.add_argument("--weights", metavar="FILE.weights.h5", help=WEIGHTS)
    _threads(p)


def _add_tune(commands: Any) -> None:
    p = _command(commands, "tune", _tune, "tune a bundle's classifier for one door", TUNE)
    _paths(p, "--data", "DOOR", "labelled faces", required=True)
    _path(p, "--start", "BUNDLE", "the bundle to go on from (default: the shipped one)")
    general = "labelled faces of the world on which it must not fall, besides the drawn ones"
    _paths(p, "--general", "PATH", general)
    labels(p)
    _path(p, "--workdir", "DIR", WORKDIR, type=Path, default=Path("runs/door"))
    _path(p, "--config", "FILE.toml", "another recipe, as for maskcam-train classifier", default=Path("door"))
    p.add_argument(
        "--no-detector", action="store_true", help="tune the classifier alone, however many scenes there are"
    )
    _threads(p)


def _add_label(commands: Any) -> None:
    p = _command(commands, "label", _label, "say what the faces of a set are, in a browser", LABEL, light=True)
    _path(p, "data", "DATA", "a folder of pictures, or COCO annotations")
    _path(p, "--bundle", "DIR", "whose guesses are shown first (default: the shipped bundle)")
    p.add_argument("--port", type=int, default=8766, metavar="N", help="of the page (default: %(default)s)")


def _add_inspect(commands: Any) -> None:
    p = _command(commands, "inspect", _inspect, "say what a data set is, and what is doubtful in it", INSPECT, True)
    _path(p, "data", "DATA", "one set or several, which are compared", nargs="+")
    labels(p)
    _path(p, "--bundle", "DIR", "whose classifier is asked about the labels (default: the shipped one)")
    _path(p, "--sheet", "FILE.jpg", "also write a contact sheet, doubtful faces first", type=Path)


def _add_detector(commands: Any) -> None:
    p = _command(commands, "detector", _detector, "train the face detector", DETECTOR)
    _path(p, "config", "CONFIG.toml", "such as configs/train/detector.toml, which comes with maskcam, or door-detector")
    _paths(p, "--data", "TRAIN", "annotated scenes", required=True)
    _path(p, "--val", "VAL", "annotated scenes for the AP of each epoch", required=True)
    _path(p, "--workdir", "DIR", WORKDIR, type=Path, required=True)
    p.add_argument("--weights", metavar="FILE.onnx", help=YUNET)
    _path(p, "--start", "FILE.keras|BUNDLE", "a trained detector to go on from; then --weights is not needed")
    workers = "processes that make batches; a GPU waits for fewer than all cores (default: %(default)s)"
    p.add_argument("--workers", type=int, default=1, metavar="N", help=workers)
    memory = "decoded pictures that are kept; others are read again when they are shown (default: %(default)s)"
    p.add_argument("--memory", type=int, default=4000, metavar="MB", help=memory)


def _add_settle(commands: Any) -> None:
    purpose = "draw all boxes in one style, ignore faces nobody annotated"
    p = _command(commands, "settle", _settle, purpose, SETTLE)
    _path(p, "data", "TRAIN.json", "COCO, its pictures in images/; stays as it is")
    _path(p, "--out", "SETTLED.json", "where the result is written", type=Path, required=True)
    _paths(p, "--teacher", "FILE.onnx", "YuNet, then Ultra-Light RFB-640", required=True)
    _path(p, "--bundle", "DIR", "the third detector (default: the shipped bundle)")
    trust = "its annotations stay; may be repeated"
    p.add_argument("--trust", action="append", default=[], metavar="SOURCE", help=trust)


def _add_crops(commands: Any) -> None:
    purpose = "cut out what a detector finds, for the classifier"
    p = _command(commands, "crops", _crops, purpose, CROPS, light=True)
    _path(p, "data", "DATA", "annotated scenes, one set or several", nargs="+")
    _path(p, "--out", "DIR", "a new folder for crops.csv and images/", type=Path, required=True)
    _path(p, "--bundle", "DIR", "whose detector looks (default: the shipped bundle)")
    _paths(p, "--teacher", "FILE.onnx", "YuNet, then Ultra-Light RFB-640")


def _add_evaluate(commands: Any) -> None:
    p = _command(commands, "evaluate", _evaluate, "measure a model or a bundle on annotated pictures", EVALUATE)
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

    if args.start and args.weights:
        raise ConfigError("--start and --weights: expected one of them, each says where the weights come from")
    start = args.start or (None if args.config or args.weights else bundle.shipped())
    recipe = args.config or Path("own")
    training.run(recipe, args.data, args.workdir, args.weights, args.also, start, renamed(args), args.workers)
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

    crops.run(args.data, args.out, args.bundle, args.teacher)


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
