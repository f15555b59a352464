"""`maskcam-train`: trains the face detector and the mask classifier, and measures models."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.core.errors import ConfigError, DataError, MaskcamError, MissingPackage
from edge.core.native_output import silence_native_output

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

SETTLE = """\
Two detectors that others trained, and the one of a bundle, look at every picture of a COCO file:
  a face on which they agree, inside a box of a whole head, takes the place of that box
  a head in which they agree on nothing is ignored, in a source that draws whole heads
  a place that nobody annotated is ignored when one of them is sure of a face there
  what only the bundle sees, and no teacher even doubts, is listed as a false alarm

Look at some of what it changed before you train: a teacher can be wrong."""

EXAMPLES = """\
examples:
  maskcam-train classifier --data dataset
  maskcam-train inspect dataset --sheet sheet.jpg
  maskcam-train label door
  maskcam-train tune --data door --start edge/shipped
  maskcam-train classifier configs/train/classifier.toml --data crops.csv --data train.json --workdir runs/mask
  maskcam-train classifier configs/train/tutorial.toml --data tutorial/ --also crops.csv --workdir runs/tutorial
  maskcam-train detector configs/train/detector.toml --data train.json --val val.json --workdir runs/face
  maskcam-train detector configs/train/detector-tune.toml --start runs/face/detector.keras \\
      --data train.json --val val.json --workdir runs/face-tuned
  maskcam-train evaluate --data val.json --classifier runs/mask/classifier.keras"""


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("maskcam-train", description=__doc__, epilog=EXAMPLES, formatter_class=raw)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    p = commands.add_parser("classifier", help="train the mask classifier", description=CLASSIFIER, formatter_class=raw)
    p.add_argument(
        "config",
        type=Path,
        nargs="?",
        metavar="CONFIG",
        help="a TOML file such as configs/train/classifier.toml, or vgg16 (default: own, which goes on from --start)",
    )
    p.add_argument(
        "--data", type=Path, action="append", required=True, metavar="PATH", help="labelled faces; may be repeated"
    )
    p.add_argument(
        "--start",
        type=Path,
        metavar="BUNDLE|FILE.keras",
        help="a trained classifier to go on from (default: the shipped one where no CONFIG is given)",
    )
    p.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="what a class of the data is: with_mask, without_mask, mask_worn_incorrectly, not_a_face, face or ignore",
    )
    p.add_argument(
        "--also", type=Path, action="append", default=[], metavar="PATH", help="a further set, only measured"
    )
    p.add_argument(
        "--workdir",
        type=Path,
        default=Path("runs/classifier"),
        metavar="DIR",
        help="where everything is written (default: %(default)s)",
    )
    p.add_argument("--weights", metavar="FILE", help="backbone weights without top instead of the configuration's")
    p.set_defaults(run=_classifier)

    p = commands.add_parser(
        "tune", help="tune a bundle's classifier for one door", description=TUNE, formatter_class=raw
    )
    p.add_argument(
        "--data", type=Path, action="append", required=True, metavar="DOOR", help="labelled faces; may be repeated"
    )
    p.add_argument("--start", type=Path, metavar="BUNDLE", help="the bundle to go on from (default: the shipped one)")
    p.add_argument(
        "--general",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="labelled faces of the world on which it must not fall, besides the drawn ones; may be repeated",
    )
    p.add_argument("--label", action="append", default=[], metavar="OLD=NEW", help="what a class of the data is")
    p.add_argument(
        "--workdir",
        type=Path,
        default=Path("runs/door"),
        metavar="DIR",
        help="where everything is written (default: %(default)s)",
    )
    p.add_argument(
        "--config",
        type=Path,
        default=Path("door"),
        metavar="FILE.toml",
        help="another recipe than door, as for maskcam-train classifier",
    )
    p.set_defaults(run=_tune)

    p = commands.add_parser(
        "label", help="say what the faces of a set are, in a browser", description=LABEL, formatter_class=raw
    )
    p.add_argument("data", type=Path, metavar="DATA", help="a folder of pictures, or COCO annotations")
    p.add_argument(
        "--bundle", type=Path, metavar="DIR", help="whose guesses are shown first (default: the shipped bundle)"
    )
    p.add_argument("--port", type=int, default=8766, metavar="N", help="of the page (default: %(default)s)")
    p.set_defaults(run=_label, light=True)

    p = commands.add_parser(
        "inspect", help="say what a data set is, and what is doubtful in it", description=INSPECT, formatter_class=raw
    )
    p.add_argument("data", type=Path, nargs="+", metavar="DATA", help="one set or several, which are compared")
    p.add_argument("--label", action="append", default=[], metavar="OLD=NEW", help="what a class of the data is")
    p.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="whose classifier is asked about the labels (default: the shipped one)",
    )
    p.add_argument("--sheet", type=Path, metavar="FILE.jpg", help="also write a contact sheet, doubtful faces first")
    p.set_defaults(run=_inspect, light=True)

    p = commands.add_parser("detector", help="train the face detector")
    p.add_argument("config", type=Path, metavar="CONFIG.toml", help="see configs/train/detector.toml")
    p.add_argument(
        "--data", type=Path, action="append", required=True, metavar="TRAIN.json", help="COCO; may be repeated"
    )
    p.add_argument("--val", type=Path, required=True, metavar="VAL.json", help="COCO, for the AP of each epoch")
    p.add_argument("--workdir", type=Path, required=True, metavar="DIR", help="where everything is written")
    p.add_argument("--weights", metavar="FILE", help="backbone weights without top instead of the configuration's")
    p.add_argument("--start", type=Path, metavar="FILE.keras|BUNDLE", help="a trained detector to go on from")
    p.add_argument(
        "--workers", type=int, default=1, metavar="N", help="threads that make batches (default: %(default)s)"
    )
    p.add_argument(
        "--memory",
        type=int,
        default=4000,
        metavar="MB",
        help="decoded pictures that are kept; others are read again when they are shown (default: %(default)s)",
    )
    p.set_defaults(run=_detector)

    p = commands.add_parser(
        "settle",
        help="draw all boxes in one style, ignore faces nobody annotated",
        description=SETTLE,
        formatter_class=raw,
    )
    p.add_argument("data", type=Path, metavar="TRAIN.json", help="COCO, its pictures in images/; stays as it is")
    p.add_argument("--out", type=Path, required=True, metavar="SETTLED.json", help="where the result is written")
    p.add_argument(
        "--teacher",
        type=Path,
        action="append",
        required=True,
        metavar="FILE.onnx",
        help="YuNet, then Ultra-Light RFB-640",
    )
    p.add_argument("--bundle", type=Path, metavar="DIR", help="the third detector (default: the shipped bundle)")
    p.add_argument(
        "--trust", action="append", default=[], metavar="SOURCE", help="its annotations stay; may be repeated"
    )
    p.set_defaults(run=_settle)

    p = commands.add_parser("evaluate", help="measure a model or a bundle on annotated pictures")
    p.add_argument("--label", action="append", default=[], metavar="OLD=NEW", help="what a class of the data is")
    p.add_argument("--data", type=Path, required=True, metavar="VAL.json", help="COCO, its pictures in images/")
    model = p.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--bundle", type=Path, metavar="DIR", help="a converted bundle: detector and classifier together"
    )
    model.add_argument("--classifier", type=Path, metavar="FILE.keras", help="a classifier, on the annotated boxes")
    model.add_argument("--detector", type=Path, metavar="FILE.keras", help="a detector: its COCO AP")
    p.add_argument(
        "--backend", default="tflite", choices=("tflite", "opencv"), help="what runs a bundle (default: %(default)s)"
    )
    p.set_defaults(run=_evaluate)
    return top


def _import_quietly() -> None:
    """Imports Keras and its backend; TensorFlow greets from C++ on stderr before any log level is looked at."""
    with silence_native_output():
        import keras  # noqa: F401  (for its noise)


def _classifier(args: argparse.Namespace) -> None:
    from edge.vision import bundle
    from train.classifier import training

    if args.start and args.weights:
        raise ConfigError("--start and --weights: expected one of them, each says where the weights come from")
    start = args.start or (None if args.config or args.weights else bundle.shipped())
    renamed = dict(text.rpartition("=")[::2] for text in args.label)
    training.run(args.config or Path("own"), args.data, args.workdir, args.weights, args.also, start, renamed)
    print(f"\nmake a bundle of it: maskcam-convert bundle --classifier {args.workdir}", flush=True)


def _tune(args: argparse.Namespace) -> None:
    from edge.vision import bundle
    from train.classifier import tune

    renamed = dict(text.rpartition("=")[::2] for text in args.label)
    tune.run(args.config, args.data, args.start or bundle.shipped(), args.workdir, args.general, renamed)
    print(f"\nmake a bundle of it: maskcam-convert bundle --classifier {args.workdir}", flush=True)


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
    from edge.evaluation import formats
    from edge.vision import bundle
    from edge.vision.classifier import MaskClassifier
    from train.inspection import sheet, survey

    renamed = dict(text.rpartition("=")[::2] for text in args.label)
    found = bundle.load(args.bundle or bundle.shipped())
    classifier = MaskClassifier(tflite.open(found, "classifier", 2), found.classifier)

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\rlooked at {done} of {total} pictures", end="" if done < total else "\n", file=sys.stderr)
        elif done % 1000 == 0:
            print(f"looked at {done} of {total} pictures", file=sys.stderr)

    result = survey.survey(args.data, renamed, classifier, found.classifier.labels, progress=progress)
    print(survey.text(result))
    if args.sheet:
        truths = [truth for path in args.data for truth in formats.read(path, renamed)]
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


def _evaluate(args: argparse.Namespace) -> None:
    from train import evaluate

    evaluate.main(args)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0; 2 with one line on stderr for anything the user can mend; 130 after Ctrl-C."""
    args = parser().parse_args(argv)
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "3"
    )  # before TensorFlow is imported, or it tells of every GPU it lacks
    try:
        if not getattr(args, "light", False):
            _import_quietly()
        args.run(args)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("train", "edge"):
            raise
        return _fail(MissingPackage(error.name or "?", "train"))
    except (MaskcamError, OSError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        print("\nmaskcam-train: stopped; the same command goes on after the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _fail(error: Exception) -> int:
    print(f"maskcam-train: error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
