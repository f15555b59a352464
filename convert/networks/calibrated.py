"""A trained detector made ready for the device, before it is exported."""

from __future__ import annotations

from typing import Any

import keras

from convert.config import ConvertConfig
from convert.networks import box_margin, output_range, score_calibration
from edge.evaluation.annotated import Annotated


def calibrated(
    model: keras.Model, held_out: list[Annotated], config: ConvertConfig
) -> tuple[keras.Model, dict[str, Any]]:
    """The detector with larger boxes and with probabilities for scores; and what was folded in, to be undone."""
    box_margin.fold(model, config.box_margin)
    factor, offset = score_calibration.fit(score_calibration.rows_of(model, config.nms_iou), held_out)
    score_calibration.fold(model, factor, offset)
    said = {"box_margin": config.box_margin, "matrix": box_margin.matrix(config.box_margin).tolist()}
    said |= {"score_calibration": {"factor": factor, "offset": offset}, "lowest_logit": output_range.LOWEST}
    return output_range.bound(model), said
