"""`maskcam-convert`: from trained Keras models to a verified bundle."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.core.errors import MaskcamError, MissingPackage

EXAMPLE = """example:
  maskcam-convert bundle --detector runs/detector/detector.keras --classifier runs/classifier/classifier.keras \\
      --calibration data/faces/train.json --validation data/faces/val.json --out my-bundle
  maskcam replay door.mp4 --bundle my-bundle
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 after one line that says what is wrong."""
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
    print(f"maskcam-convert: error: {error}", file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("maskcam-convert", description=__doc__, epilog=EXAMPLE, formatter_class=raw)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser(
        "bundle", help="convert both networks, verify them, write the bundle", epilog=EXAMPLE, formatter_class=raw
    )
    either = "from maskcam-train {}, or a bundle whose {} is kept as it is"
    for name in ("detector", "classifier"):
        make.add_argument(
            f"--{name}", type=Path, required=True, metavar="FILE.keras|BUNDLE", help=either.format(name, name)
        )
    make.add_argument(
        "--calibration", type=Path, required=True, metavar="COCO.json", help="pictures that set the int8 ranges"
    )
    make.add_argument(
        "--validation", type=Path, required=True, metavar="COCO.json", help="pictures that decide on publishing"
    )
    make.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the bundle goes; an older one is replaced"
    )
    make.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="sizes and limits (default: those of configs/convert.toml)"
    )
    make.set_defaults(run=_bundle)
    check = commands.add_parser("verify", help="measure float against int8 of a bundle and check the agreement")
    check.add_argument("bundle", type=Path, metavar="DIR")
    check.add_argument("--validation", type=Path, required=True, metavar="COCO.json")
    check.add_argument("--config", type=Path, metavar="FILE.toml")
    check.set_defaults(run=_verify)
    _edgetpu_commands(commands)
    sizes = commands.add_parser(
        "sizes",
        help="AP against milliseconds of the detector at several input sizes",
        epilog="example:\n  maskcam-convert sizes --detector detector.keras --calibration train.json "
        "--validation val.json --plot sizes.png 256x192 320x256 416x320",
        formatter_class=raw,
    )
    sizes.add_argument("--detector", type=Path, required=True, metavar="FILE.keras")
    sizes.add_argument("--calibration", type=Path, required=True, metavar="COCO.json")
    sizes.add_argument("--validation", type=Path, required=True, metavar="COCO.json")
    sizes.add_argument("--plot", type=Path, required=True, metavar="PNG", help="where the curve goes")
    sizes.add_argument("--config", type=Path, metavar="FILE.toml")
    sizes.add_argument("sizes", nargs="+", metavar="WxH", help="multiples of 32, such as 320x256")
    sizes.set_defaults(run=_sizes)
    return top


def _edgetpu_commands(commands: Any) -> None:
    compiled = commands.add_parser("edgetpu", help="compile both networks of a bundle for the Coral Edge TPU")
    compiled.add_argument("bundle", type=Path, metavar="DIR")
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
    judged.add_argument("model", type=Path, metavar="MODEL|DIR", help="a .tflite file or a bundle")
    judged.set_defaults(run=_check_edgetpu)


def _bundle(args: argparse.Namespace) -> int:
    from convert.config import load
    from convert.quiet import quiet

    with quiet():  # TensorFlow greets on stderr when it is imported
        from convert.publish import publish
    out = publish(args.detector, args.classifier, args.calibration, args.validation, args.out, load(args.config))
    size = sum(p.stat().st_size for p in out.iterdir())
    print(f"bundle written to {out} ({size / 1e6:.1f} MB); try it: maskcam replay PICTURES --bundle {out}")
    return 0


def _sizes(args: argparse.Namespace) -> int:
    from convert.config import load
    from convert.quiet import quiet

    with quiet():
        from convert.sizes import run
    run(args.detector, args.calibration, args.validation, args.sizes, args.plot, load(args.config))
    return 0


def _edgetpu(args: argparse.Namespace) -> int:
    from convert import to_edgetpu

    print(to_edgetpu.table(to_edgetpu.run(args.bundle, args.share)))
    return 0


def _check_edgetpu(args: argparse.Namespace) -> int:
    from convert import edgetpu_check

    return edgetpu_check.run(args.model)


def _verify(args: argparse.Namespace) -> int:
    from convert.config import load
    from convert.verify import run

    run(args.bundle, args.validation, load(args.config))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
