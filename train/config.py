"""The training configurations: typed, validated, one TOML file per training under configs/train/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field, FiniteFloat, field_validator, model_validator

from edge.config import toml_model
from edge.config.toml_model import TomlModel
from edge.core.errors import ConfigError
from edge.core.labels import CLASSIFIER_LABELS, of_outputs

T = TypeVar("T", bound=TomlModel)

RECIPES = Path(__file__).parent / "recipes"
"""Configurations that come with the package and go by their names."""


def load(path: Path, model: type[T]) -> T:
    """Reads a TOML file, or a recipe by its name ("own"). Raises ConfigError: file, key, value, expectation."""
    known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml") if not p.stem.endswith("-detector")))
    return toml_model.load(recipe(path), model, f"expected a TOML file, or {known}")


def recipe(path: Path) -> Path:
    """The recipe that `path` names, unless there is such a file."""
    own = RECIPES / f"{path}.toml"
    return own if own.is_file() and not path.is_file() else path


def load_stages(path: Path) -> list[DetectorConfig]:
    """The trainings that a detector's file describes, in order: each `[[stage]]` changes what stands above.

    A file without any is one training. `path`: see `load`. Raises ConfigError, one line per fault.
    """
    path = recipe(path)
    values = toml_model.read(path)
    stages = values.pop("stage", [{}])
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise ConfigError(f"{path}: stage: expected tables, each headed [[stage]]")
    return [toml_model.validated(path, values | stage, DetectorConfig) for stage in stages]


class DetectorConfig(TomlModel):
    """Training of the face detector."""

    renamed: ClassVar = {
        "mistakes": "hard_examples",
        "mistakes_from": "hard_examples_from",
        "mistakes_sure": "ignored_from",
    }
    gone: ClassVar = dict.fromkeys(
        ("alpha", "channels", "expansion"), "the detector has one width, that of YuNet; take the line out"
    )

    seed: int = Field(0, ge=0, lt=2**32)
    width: int = Field(320, ge=64, multiple_of=32, description="width of the training pictures, pixels")
    height: int = Field(256, ge=64, multiple_of=32, description="height of the training pictures, pixels")
    weights: str = Field("", description="YuNet's ONNX file, or 'none' for random ones; not needed with --start")
    frozen_until: str = Field("", description="layer up to which nothing is trained")
    epochs: int = Field(20, ge=1)
    steps_per_epoch: int = Field(200, ge=1)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(1.5e-3, gt=0, description="peak; warm-up over 5 %, then a cosine to zero")
    weight_decay: float = Field(1e-4, ge=0)
    ema: float = Field(0.998, ge=0, lt=1, description="momentum of the averaged weights that are kept")
    mosaic: float = Field(0.5, ge=0, le=1, description="share of training pictures put together from four scenes")
    smallest_face: float = Field(8.0, gt=0, description="pixels; training faces are scaled log-uniformly from here ...")
    largest_face: float = Field(230.0, gt=0, description="... to here")
    averaged: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the weights it began with (YuNet's, or --start's) in those that the training ends with",
    )
    hard_examples: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the samples that shows false alarms, missed and turned faces",
    )
    hard_examples_from: float = Field(0.5, gt=0, lt=1, description="score from which a box of the beginning counts")
    drawn_masks: float = Field(0.3, ge=0, le=1, description="share of bare faces that get a drawn mask")
    ignored_from: float = Field(
        0.8, gt=0, le=1, description="an unannotated face with this score is ignored; 1: never, for settled annotations"
    )
    covered: float = Field(0.15, ge=0, le=1, description="share of bare faces behind a drawn hand, beard or cup")
    rotated: float = Field(0.3, ge=0, le=1, description="share of training pictures that are turned ...")
    rotation: float = Field(45.0, ge=0, le=90, description="... by up to this, degrees")
    stretched: float = Field(0.15, ge=0, le=1, description="share of training pictures made wider or higher")
    things: float = Field(
        0.15, ge=0, le=1, description="share of training pictures with drawn wheels, lamps, letters ..."
    )
    empty: float = Field(0.04, ge=0, le=1, description="share of training pictures without a face: walls and things")
    sources: list[str] = Field(
        [], description="pictures of these sources alone, such as those that annotate every face; empty: all"
    )
    evaluate_pictures: int = Field(200, ge=1, description="validation pictures for the AP of each epoch")

    @model_validator(mode="after")
    def _sizes(self) -> DetectorConfig:
        if self.smallest_face > self.largest_face:
            raise ValueError(f"smallest_face: expected largest_face ({self.largest_face:g}) or less")
        return self


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= pair[0] <= pair[1]:
        raise ValueError("expected two numbers from 0 on, the smaller one first")
    return pair


Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], AfterValidator(_ascending)]


class Augmentation(TomlModel):
    """How training crops vary. Shares are chances per crop, `shift` and `zoom` parts of the face's box."""

    margin: Range = Field((0.0, 0.35), description="surroundings added, from ... to, in sides of the box")
    shift: float = Field(0.06, ge=0, description="the box moves by up to this, as a detector's does")
    zoom: float = Field(0.06, ge=0, lt=1, description="its sides change by up to this")
    rotation: float = Field(12.0, ge=0, le=45, description="degrees")
    shear: float = Field(0.0, ge=0, le=45, description="degrees")
    mirror: bool = True
    far: Share = Field(0.4, description="faces shrunk to a far one's few pixels and enlarged again")
    far_side: Range = Field((12.0, 48.0), description="longer side of a far face, pixels, from ... to")
    photometric: Share = Field(0.85, description="light, colour, blur, noise, JPEG")
    covered: Share = Field(
        0.3, description="bare faces behind a hand, a beard, a cup; a third as many under glasses or hair"
    )
    drawn: Share = Field(0.25, description="masked faces made by drawing a mask on a bare one")
    drawn_low: Share = Field(0.25, description="incorrectly worn masks made by drawing one that hangs too low")
    drawn_profiles: Share = Field(
        0.3, description="drawn masks on heads seen from the side, where annotations name any (nose_left, nose_right)"
    )
    drawn_things: Share = Field(0.25, description="things that are no faces made by drawing: wheels, signs, windows")

    @field_validator("far_side")
    @classmethod
    def _visible(cls, far_side: tuple[float, float]) -> tuple[float, float]:
        if far_side[0] < 1:
            raise ValueError("expected one pixel or more")
        return far_side


class Phase(TomlModel):
    """One phase of training: the head alone, or the head and the upper blocks."""

    epochs: int = Field(ge=0)
    learning_rate: float = Field(1e-3, gt=0, description="peak; a cosine takes it to zero unless `constant`")
    constant: bool = Field(False, description="keep the learning rate instead")
    weight_decay: float = Field(0.0, ge=0, description="of AdamW; 0 is Adam")
    ema: float = Field(0.0, ge=0, lt=1, description="momentum of averaged weights; 0 keeps the last ones")


class ClassifierConfig(TomlModel):
    """Training of the mask classifier."""

    renamed: ClassVar = {"thaw_after": "unfreeze_after"}

    seed: int = Field(0, ge=0, lt=2**32)
    backbone: Literal["mobilenetv2", "vgg16"] = "mobilenetv2"
    alpha: float = Field(0.35, gt=0, description="width multiplier of MobileNetV2")
    weights: str = Field("imagenet", description="'imagenet', 'none' or a .weights.h5 file without top")
    size: int = Field(112, ge=32, description="side of the square input, pixels")
    margin: float = Field(0.15, ge=0, description="surroundings of the face on the device, in sides of its box")
    hidden: int = Field(0, ge=0, description="units of a dense ReLU layer before the last; 0 has none")
    dropout: float = Field(0.2, ge=0, lt=1)
    batch: int = Field(64, ge=1)
    per_epoch: int = Field(0, ge=0, description="crops per epoch; 0: as many as there are training faces")
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    averaged: float = Field(
        0.0, ge=0, lt=1, description="share of the weights of --start in those that the training ends with"
    )
    calibrate: bool = Field(True, description="fold a temperature into the last layer, so that 0.9 means 0.9")
    logit_offsets: dict[str, FiniteFloat] = Field(
        {}, description="label -> what its logit gets after the training: `balance` shows a rare one too often"
    )
    splits: list[Literal["cluster", "random"]] = Field(
        ["cluster"], min_length=1, description="the first gives the model; the others are trained for comparison"
    )
    validation: float = Field(0.2, gt=0, lt=1, description="share held back where the data has no split of its own")
    distance: int = Field(6, ge=0, le=16, description="bits in which the hashes of near-duplicates may differ")
    smallest: float = Field(10.0, ge=0, description="faces whose longer side is less, in pixels, are left out")
    balance: list[Share] = Field(
        [0.5, 0.5],
        min_length=2,
        max_length=len(CLASSIFIER_LABELS),
        description="share of each label in a batch, in the order of edge/core/labels.py: its outputs",
    )
    backgrounds: int = Field(0, ge=0, description="places without a face cut from each COCO file, as not_a_face")
    unfreeze_after: str = Field("block_5_add", description="layer after which the second phase trains the backbone")
    head: Phase
    tune: Phase
    augmentation: Augmentation = Augmentation()

    @property
    def labels(self) -> tuple[str, ...]:
        """What the outputs mean, in their order."""
        return of_outputs(len(self.balance))

    @field_validator("balance")
    @classmethod
    def _whole(cls, balance: list[float]) -> list[float]:
        if abs(sum(balance) - 1) > 1e-6:
            raise ValueError(f"the shares add up to {sum(balance):g}, expected 1")
        return balance

    @model_validator(mode="after")
    def _known(self) -> ClassifierConfig:
        if unknown := sorted(set(self.logit_offsets) - set(self.labels)):
            raise ValueError(f"logit_offsets.{unknown[0]}: no label of this network; expected {', '.join(self.labels)}")
        return self
