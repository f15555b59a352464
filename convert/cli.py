"""`maskcam-convert`: from trained Keras models to a verified bundle."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.cli.arguments import labels, renamed
from edge.core.errors import DataError, MaskcamError, MissingPackage
from edge.core.native_output import open_standard_streams
from edge.core.paths import any_path
from edge.core.plain_text import plain
from edge.core.supplied import readable_path
from edge.vision import bundle as bundles

EXAMPLE = """examples:
  maskcam-convert bundle --classifier runs/classifier
  maskcam-convert bundle --detector runs/detector/detector.keras --classifier runs/classifier/classifier.keras \\
      --calibration data/faces/train.json --validation data/faces/val.json --out my-bundle
  maskcam replay door.mp4 --bundle my-bundle
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 after one line that says what is wrong."""
    open_standard_streams()
    args = parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own start-up chatter
    try:
        return args.run(args)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("convert", "edge"):
            raise
        return _fail(MissingPackage(error.name or "?", "convert"))
    except (MaskcamError, OSError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        print("maskcam-convert: stopped; nothing was published", file=sys.stderr)
        return 130


def _fail(error: Exception) -> int:
    print(f"maskcam-convert: error: {plain(str(error))}", file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("maskcam-convert", description=__doc__, epilog=EXAMPLE, formatter_class=raw)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser(
        "bundle", help="convert both networks, verify them, write the bundle", epilog=EXAMPLE, formatter_class=raw
    )
    either = "from maskcam-train {}, its folder, or a bundle whose {} is kept as it is (default: the shipped one's)"
    for name in ("detector", "classifier"):
        make.add_argument(f"--{name}", type=readable_path, metavar="FILE.keras|DIR", help=either.format(name, name))
    own = " (default: the faces that the classifier was {}, from faces.csv in its folder)"
    make.add_argument(
        "--calibration",
        type=readable_path,
        metavar="DATA",
        help="pictures that set the int8 ranges" + own.format("trained on"),
    )
    make.add_argument(
        "--validation",
        type=readable_path,
        metavar="DATA",
        help="pictures that decide on publishing" + own.format("validated on"),
    )
    make.add_argument(
        "--out",
        type=any_path,
        default=Path("bundle"),
        metavar="DIR",
        help="where the bundle goes; an older one is replaced (default: %(default)s)",
    )
    make.add_argument(
        "--against",
        type=readable_path,
        metavar="BUNDLE",
        help="what it is compared with (default: what it replaces)",
    )
    make.add_argument("--even-if-worse", action="store_true", help="publish although it is surely worse than that")
    labels(make)
    make.add_argument(
        "--config",
        type=readable_path,
        metavar="FILE.toml",
        help="sizes and limits (default: those of configs/convert.toml)",
    )
    make.set_defaults(run=_bundle)
    check = commands.add_parser("verify", help="measure float against int8 of a bundle and check the agreement")
    check.add_argument("bundle", type=readable_path, metavar="DIR")
    check.add_argument("--validation", type=readable_path, required=True, metavar="COCO.json")
    check.add_argument("--config", type=readable_path, metavar="FILE.toml")
    check.set_defaults(run=_verify)
    _edgetpu_commands(commands)
    sizes = commands.add_parser(
        "sizes",
        help="AP against milliseconds of the detector at several input sizes",
        epilog="example:\n  maskcam-convert sizes --detector detector.keras --calibration train.json "
        "--validation val.json --plot sizes.png 256x192 320x256 416x320",
        formatter_class=raw,
    )
    sizes.add_argument("--detector", type=readable_path, required=True, metavar="FILE.keras")
    sizes.add_argument("--calibration", type=readable_path, required=True, metavar="COCO.json")
    sizes.add_argument("--validation", type=readable_path, required=True, metavar="COCO.json")
    sizes.add_argument("--plot", type=any_path, required=True, metavar="PNG", help="where the curve goes")
    sizes.add_argument("--config", type=readable_path, metavar="FILE.toml")
    sizes.add_argument("sizes", nargs="+", metavar="WxH", help="multiples of 32, such as 320x256")
    sizes.set_defaults(run=_sizes)
    return top


def _edgetpu_commands(commands: Any) -> None:
    compiled = commands.add_parser("edgetpu", help="compile both networks of a bundle for the Coral Edge TPU")
    compiled.add_argument("bundle", type=any_path, metavar="DIR")
    compiled.add_argument(
        "--share",
        type=float,
        default=1.0,
        metavar="0..1",
        help="share of the operations that has to be mapped, conversions at the border aside (default: all)",
    )
    compiled.set_defaults(run=_edgetpu)
    judged = commands.add_parser(
        "check-edgetpu", help="say from the file alone what an Edge TPU cannot map; needs no compiler"
    )
    judged.add_argument("model", type=readable_path, metavar="MODEL|DIR", help="a .tflite file or a bundle")
    judged.set_defaults(run=_check_edgetpu)


def _bundle(args: argparse.Namespace) -> int:
    from convert.config import load
    from edge.core.native_output import silence_native_output

    detector, classifier = (_network(getattr(args, name), name) for name in ("detector", "classifier"))
    faces = classifier.parent / "faces.csv"
    if not all((args.calibration, args.validation)) and not faces.is_file():
        raise DataError(f"--calibration and --validation: name the pictures (there is no {faces} to take them from)")
    if not (args.detector or args.classifier):
        raise DataError(
            "--detector or --classifier: name at least one network; the other is taken from the shipped bundle"
        )
    with silence_native_output():  # TensorFlow greets on stderr when it is imported
        from convert.bundle.publish import publish
    out = publish(
        detector,
        classifier,
        args.calibration or faces,
        args.validation or faces,
        args.out,
        load(args.config),
        args.against,
        args.even_if_worse,
        renamed(args),
    )
    size = sum(p.stat().st_size for p in out.iterdir())
    print(f"bundle written to {out} ({size / 1e6:.1f} MB); try it: maskcam detect PICTURE --bundle {out}")
    return 0


def _network(given: Path | None, name: str) -> Path:
    """The model file of a training's folder, the bundle that `given` is, or the shipped one."""
    if given is None:
        return bundles.shipped()
    if not given.exists():
        raise DataError(
            f"--{name} {given}: no such file or folder; expected a .keras file, the folder of a training, or a bundle"
        )
    trained, is_bundle = given / f"{name}.keras", (given / bundles.NAME).is_file()
    if given.is_dir() and not is_bundle and not trained.is_file():
        raise DataError(
            f"--{name} {given}: holds neither {trained.name} nor {bundles.NAME}; expected the folder of a training, "
            "or a bundle"
        )
    return trained if trained.is_file() and not is_bundle else given


def _sizes(args: argparse.Namespace) -> int:
    from convert.config import load
    from edge.core.native_output import silence_native_output

    with silence_native_output():
        from convert.verification.sizes import run
    run(args.detector, args.calibration, args.validation, args.sizes, args.plot, load(args.config))
    return 0


def _edgetpu(args: argparse.Namespace) -> int:
    from convert.edgetpu import compiler

    print(compiler.table(compiler.run(args.bundle, args.share)))
    return 0


def _check_edgetpu(args: argparse.Namespace) -> int:
    from convert.edgetpu import check

    return check.run(args.model)


def _verify(args: argparse.Namespace) -> int:
    from convert.config import load
    from convert.verification.verify import run

    run(args.bundle, args.validation, load(args.config))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
