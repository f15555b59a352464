"""The model bundle: a folder with `bundle.json` and one file per network and backend.

`convert` writes it, and the device reads nothing else. Every file is listed with its digest, and each network comes
with a known answer, so that a damaged card or a wrong backend is noticed at the start.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from edge.core import json_text
from edge.core.errors import BundleError
from edge.core.files import readable
from edge.core.labels import CLASSIFIER_LABELS, WITH_MASK, WITHOUT_MASK
from edge.vision.preprocess import InputSpec

SCHEMA = 1
SHOWN, LONGEST = 80, 255
"""Characters of a value in a message, and of a file's name."""
MOST_SIDE, MOST_SHAPES = 4096, 16
"""Pixels of a side of an input, and further inputs of the detector: memory is taken for each before a file is read."""
NAME = "bundle.json"
LFS_POINTER = b"version https://git-lfs"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Part):
    """Input of a network: NHWC, one picture, RGB, real value (byte - mean) / std."""

    width: int = Field(gt=0, le=MOST_SIDE)
    height: int = Field(gt=0, le=MOST_SIDE)
    colour: Literal["RGB"] = "RGB"
    mean: float = 127.5
    std: float = Field(127.5, gt=0)

    def spec(self) -> InputSpec:
        return InputSpec(self.width, self.height, self.mean, self.std)


class Quantisation(_Part):
    """Quantisation of one tensor: real = (q - zero_point) * scale."""

    dtype: str
    scale: float
    zero_point: int


class Network(_Part):
    """What both networks have in common in the bundle."""

    input: Input
    outputs: dict[str, list[int]]
    """Name -> shape without the batch axis, in the order the engines return them; shapes are distinct."""
    files: dict[str, str]
    """Format ("tflite", "onnx", "edgetpu") -> file name in the bundle."""
    quantisation: dict[str, Quantisation] = {}
    """Tensor name ("input" or an output) -> how the int8 file quantises it."""
    edgetpu: dict[str, Any] = {}
    """From the log of the Edge TPU compiler: its version, the number of operations and of mapped ones, and those left
    to the CPU."""
    known_answer: str
    """A .npz file: `input` (height, width, 3) uint8 and the int8 network's output under each output's name."""

    @model_validator(mode="after")
    def _distinct(self) -> Network:
        shapes = [tuple(s) for s in self.outputs.values()]
        if len(set(shapes)) != len(shapes):
            raise ValueError(f"output shapes {shapes} are not distinct, so an engine could mix the outputs up")
        return self


def shape_name(width: int, height: int) -> str:
    """Name of the detector with an input of another shape."""
    return f"detector-{width}x{height}"


class DetectorSpec(Network):
    shapes: list[Network] = Field([], max_length=MOST_SHAPES)
    """The same network with inputs of other shapes, for tall and for square frames."""
    strides: list[int]
    score_threshold: float = Field(gt=0, lt=1)
    """Operating point of the detector alone, chosen on the validation pictures."""
    joint_threshold: float | None = Field(None, gt=0, lt=1)
    """Operating point of both networks, on the score of `edge.vision.joint`; None: a bundle made before there was one,
    or whose classifier does not know "not a face"."""
    nms_iou: float = Field(gt=0, lt=1, validation_alias=AliasChoices("nms_iou", "overlap"))
    """Intersection over union above which two boxes are one face. Schema 1 calls it "overlap"."""

    @model_validator(mode="after")
    def _same_network(self) -> DetectorSpec:
        sizes = [(one.input.width, one.input.height) for one in (self, *self.shapes)]
        if twice := [size for size in sizes if sizes.count(size) > 1]:
            raise ValueError(f"the input shape {twice[0]} stands twice")
        odd = [one for one in self.shapes if list(one.outputs) != list(self.outputs)]
        if odd:
            raise ValueError(f"outputs {list(odd[0].outputs)} of a further shape, expected {list(self.outputs)}")
        return self

    @property
    def operating(self) -> float:
        """Score from which a box is looked at by the classifier."""
        return self.joint_threshold or self.score_threshold


class ClassifierSpec(Network):
    labels: list[str]
    margin: float = Field(ge=0)
    """Share of the face's longer side added around it on each side before it is scaled to the input."""

    @field_validator("labels")
    @classmethod
    def _known(cls, labels: list[str]) -> list[str]:
        unknown = [x for x in labels if x not in CLASSIFIER_LABELS]
        if unknown:
            raise ValueError(f"label {_shown(repr(unknown[0]))} is unknown; known: {', '.join(CLASSIFIER_LABELS)}")
        missing = [x for x in (WITH_MASK, WITHOUT_MASK) if labels.count(x) != 1]
        if missing:
            raise ValueError(f"label {missing[0]!r} must stand in it once")
        return labels


class Digest(_Part):
    sha256: str
    bytes: int


class Bundle(_Part):
    """A checked bundle. Build one with `load`."""

    schema_version: Literal[1]
    name: str
    created: str
    licence: str
    detector: DetectorSpec
    classifier: ClassifierSpec
    files: dict[str, Digest]
    training: dict[str, Any] = {}
    accuracy: dict[str, Any] = {}
    _folder: Path = PrivateAttr(default=Path())

    @property
    def networks(self) -> dict[str, Network]:
        """ "detector", "classifier", and by names such as "detector-288x416" the detector's further shapes."""
        shapes = {shape_name(one.input.width, one.input.height): one for one in self.detector.shapes}
        return {"detector": self.detector, "classifier": self.classifier, **shapes}

    def shapes(self, network: str) -> dict[str, Network]:
        """Of the `networks` "detector", with its further shapes, or "classifier", which has one."""
        return {name: one for name, one in self.networks.items() if name.partition("-")[0] == network}

    def path(self, network: str, form: str) -> Path:
        """The file of one of the `networks` in a format. Raises BundleError when the bundle has none."""
        files = self.networks[network].files
        if form not in files:
            remedy = f"; make it with: maskcam-convert edgetpu {self._folder}" if form == "edgetpu" else ""
            raise BundleError(
                f"{self._folder}: no {form} file of the {network}; there is: {_shown(', '.join(files))}{remedy}"
            )
        return self._folder / files[form]

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that identify the files: two bundles can have the same date."""
        digests = ",".join(f"{name} {digest.sha256}" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(digests.encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return self._folder

    def known_answer(self, network: str) -> Path:
        return self._folder / self.networks[network].known_answer


def shipped() -> Path:
    """The folder of the bundle that comes with the package."""
    return Path(str(resources.files("edge") / "shipped"))


def installed(environment: Path | None = None) -> Path | None:
    """The folder of the bundle that `maskcam update` gave to an environment (None: this one), if it gave one."""
    link = (environment or Path(sys.prefix)) / "bundle"
    return link if (link / NAME).is_file() else None


def load(folder: Path | str | None = None) -> Bundle:
    """Reads and checks a bundle, by default the installed or else the shipped one. Raises BundleError, one line."""
    folder = Path(folder) if folder is not None else installed() or shipped()
    if folder.name == NAME and folder.is_file():  # it is what the folder is known by
        folder = folder.parent
    try:
        text = readable(folder / NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"{folder}: not a bundle: no {NAME} in it; make one with 'maskcam-convert bundle'") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder / NAME}: cannot be read: {error}") from error
    bundle = _parse(folder / NAME, text)
    networks = bundle.networks.values()
    used = {name for network in networks for name in (*network.files.values(), network.known_answer)}
    for name in sorted(used | set(bundle.files)):
        _check(folder, name, bundle.files.get(name))
    bundle._folder = folder
    return bundle


def _parse(path: Path, text: str) -> Bundle:
    try:
        values = json_text.parse(text)
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version != SCHEMA:
            raise BundleError(
                f"{path}: schema_version = {_shown(repr(version))}: this maskcam reads {SCHEMA}; update one of the two"
            )
        return Bundle.model_validate(values)
    except json.JSONDecodeError as error:
        raise BundleError(f"{path}: not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = _shown(".".join(str(k) for k in first["loc"]))
        given = _shown(repr(first["input"]))  # of a missing key that is all of its section
        raise BundleError(f"{path}: {key} = {given}: {first['msg']}") from error


def _shown(text: str) -> str:
    """What a message shows of what stands there, however long that is."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _check(folder: Path, name: str, expected: Digest | None) -> None:
    """One file: stands in the bundle, is named with a digest, and has it."""
    if Path(name).name != name:
        raise BundleError(f"{folder / NAME}: file name {_shown(repr(name))} leaves the bundle's folder")
    if len(name) > LONGEST:
        raise BundleError(f"{folder / NAME}: file name {_shown(repr(name))} is longer than {LONGEST} characters")
    if expected is None:
        raise BundleError(f"{folder / NAME}: no digest for {name}")
    try:
        data = readable(folder / name).read_bytes()
    except OSError as error:
        raise BundleError(f"{folder / name}: named in {NAME} but cannot be read: {error.strerror}") from error
    if data.startswith(LFS_POINTER):
        raise BundleError(f"{folder / name}: a Git-LFS pointer, not the model; fetch it with 'git lfs pull'")
    found = hashlib.sha256(data).hexdigest()
    if found != expected.sha256:
        raise BundleError(
            f"{folder / name}: wrong digest: sha256 {found[:12]}..., {NAME} says {expected.sha256[:12]}...; "
            "the file is damaged or was replaced: install the bundle again"
        )
