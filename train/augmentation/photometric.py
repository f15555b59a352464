"""What cameras and light do to a picture: exposure, colour cast, grey, backlight, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from edge.core.records import Image


def jitter(image: Image, rng: np.random.Generator) -> Image:
    """A copy of `image` (RGB uint8) as another camera would have seen it; each effect by its own chance."""
    image = _tone(image, rng)
    if rng.random() < 0.3:  # two of the sources are grey: colour must not tell the source
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)  # type: ignore[assignment]
    if rng.random() < 0.12:
        image = _gradient(image, rng)
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))  # type: ignore[assignment]
    elif rng.random() < 0.12:
        image = _shaken(image, rng)
    if rng.random() < 0.25:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31 - 1)))
        cv2.randn(noise, 0, np.exp(rng.uniform(np.log(2), np.log(40))))  # type: ignore[call-overload]
        image = cv2.add(image, noise, dtype=cv2.CV_8U)  # type: ignore[assignment]
    if rng.random() < 0.15:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 75))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return image


def _tone(image: Image, rng: np.random.Generator) -> Image:
    """Exposure, contrast, gamma and a colour cast through one table per channel."""
    x = np.arange(256, dtype=np.float32)[:, None] / 255
    dark = rng.random() < 0.15
    gain = rng.uniform(0.1, 0.5) if dark else rng.uniform(0.65, 1.35)
    cast = rng.uniform(0.85, 1.15, 3)
    table = np.clip((x ** rng.uniform(0.7, 1.4)) * gain * cast + rng.uniform(-0.1, 0.1), 0, 1)
    return cv2.LUT(image, (table * 255).astype(np.uint8).reshape(1, 256, 3))  # type: ignore[return-value]


def _gradient(image: Image, rng: np.random.Generator) -> Image:
    """Backlight or a lamp at one side: brightness changes linearly across the picture."""
    h, w = image.shape[:2]
    angle, low, high = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.8), rng.uniform(1.1, 1.8)
    across = np.cos(angle) * np.linspace(-1, 1, w)[None] + np.sin(angle) * np.linspace(-1, 1, h)[:, None]
    light = low + (high - low) * (across / 1.42 + 1) / 2
    return np.clip(image * light[..., None], 0, 255).astype(np.uint8)


def _shaken(image: Image, rng: np.random.Generator) -> Image:
    """Motion blur in any direction, mostly sideways, as people pass."""
    n = int(rng.integers(3, 14))
    kernel = np.zeros((n, n), np.float32)
    kernel[n // 2] = 1
    angle = rng.normal(0, 25) if rng.random() < 0.7 else rng.uniform(0, 180)
    kernel = cv2.warpAffine(kernel, cv2.getRotationMatrix2D(((n - 1) / 2, (n - 1) / 2), angle, 1), (n, n))  # type: ignore[assignment]
    return cv2.filter2D(image, -1, kernel / kernel.sum())  # type: ignore[return-value]
