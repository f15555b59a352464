"""Settings of a conversion: one TOML file, such as configs/convert.toml, whose values are the defaults.

They are for networks that are converted: one that is kept from a bundle keeps what was measured for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from edge.config import toml_model

Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=64, multiple_of=32)]


class ConvertConfig(toml_model.TomlModel):
    """How a bundle is made, and what it must be worth."""

    renamed: ClassVar = {"overlap": "nms_iou", "growth": "box_margin"}

    name: str = Field("maskcam", description="name of the bundle")
    licence: str = Field("Apache-2.0", description="licence of the two networks")
    data: dict[str, str] = Field({}, description="for the card: source of pictures -> its licence")
    width: Side = Field(512, description="width of the detector's input, pixels")
    height: Side = Field(384, description="height of the detector's input, pixels")
    shapes: list[tuple[Side, Side]] = Field(
        [(544, 320), (448, 448), (384, 512), (384, 672)],
        description="width and height of further inputs: for 16:9, square and tall frames",
    )
    nms_iou: float = Field(0.4, gt=0, lt=1, description="faces that overlap more (IoU) are one face")
    box_margin: tuple[Share, Share, Share, Share] = Field(
        (0.0, 0.0, 0.0, 0.0),
        description="how far the left, top, right and bottom edge of a box move out, shares of its sides",
    )
    margin: float = Field(0.15, ge=0, description="margin of the classifier's crop, share of the face's longer side")
    calibration_pictures: int = Field(300, ge=1, description="pictures that set the int8 ranges")
    false_alarms: float = Field(
        0.06, gt=0, description="false alarms per validation picture at which the score threshold is set"
    )
    most_ap_loss: float = Field(0.01, ge=0, description="face AP that int8 may cost against float")
    most_label_loss: float = Field(0.005, ge=0, description="label accuracy that int8 may cost against float")
    edgetpu: bool = Field(True, description="refuse to publish a network that an Edge TPU could not map whole")


def load(path: Path | None) -> ConvertConfig:
    """Reads a TOML file (None: the defaults). Raises ConfigError, one line per fault."""
    if path is None:
        return ConvertConfig()  # type: ignore[call-arg]
    return toml_model.load(path, ConvertConfig, "the example is configs/convert.toml")
