"""Names of cameras, engines and sinks -> where they are defined; imported when chosen."""

from __future__ import annotations

import importlib
from typing import Any

from edge.core.errors import EngineError, MissingPackage

CAMERAS = {
    "pi": "edge.cameras.pi:PiCamera",
    "csi": "edge.cameras.csi:CsiCamera",
    "v4l2": "edge.cameras.v4l2:V4L2Camera",
    "stream": "edge.cameras.stream:StreamCamera",
    "recording": "edge.cameras.files:open_recording",
    "synthetic": "edge.cameras.synthetic:SyntheticCamera",
    "view": "edge.cameras.transform:Transform",
    "newest": "edge.cameras.latest_frame:LatestFrame",
    "steady": "edge.cameras.reconnecting:ReconnectingCamera",
}
DEVICES = ("pi", "csi", "v4l2", "stream")
"""Cameras that can be lost and come back."""
ENGINES = {
    "tflite": "edge.backends.tflite:open",
    "coral": "edge.backends.coral:open",
    "opencv": "edge.backends.opencv:open",
    "opencv-cuda": "edge.backends.opencv:open_cuda",
    "opencv-cuda-fp16": "edge.backends.opencv:open_cuda_fp16",
    "scripted": "edge.testing.engine:open",
}
ISOLATED = ("coral", "opencv-cuda", "opencv-cuda-fp16")
"""Engines whose drivers may crash or hang: they run in a process of their own."""
AUTO = ("tflite", "coral", "opencv", "opencv-cuda", "opencv-cuda-fp16")
"""What "auto" and a fallback may take."""
SINKS = {
    "log": "edge.sinks.log:LogSink",
    "jsonl": "edge.sinks.jsonl:JsonlSink",
    "gpio": "edge.sinks.gpio:GpioSink",
    "buzzer": "edge.sinks.gpio:GpioSink",
    "webhook": "edge.sinks.webhook:WebhookSink",
    "command": "edge.sinks.command:CommandSink",
    "mqtt": "edge.sinks.mqtt:MqttSink",
    "history": "edge.sinks.history:HistorySink",
    "memory": "edge.testing.sink:MemorySink",
}
EXTRAS = {
    "cv2": "cpu",
    "ai_edge_litert": "cpu",
    "tflite_runtime": "cpu",
    "skimage": "demo",
    "pooch": "demo",
    "gpiozero": "pi",
    "gpiod": "jetson",
    "paho": "mqtt",
    "prometheus_client": "web",
    "starlette": "web",
    "uvicorn": "web",
}
"""Which extra brings a package."""


def resolve(target: str) -> Any:
    """Imports "module:attribute".

    Raises MissingPackage when a package it needs is not installed and EngineError when an installed one does not
    load. A mistake inside maskcam itself is neither, and passes as it is.
    """
    module, attribute = target.split(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if isinstance(error, MissingPackage) or package in ("", "edge"):
            raise
        if isinstance(error, ModuleNotFoundError):
            raise MissingPackage(package, EXTRAS.get(package, "cpu")) from None
        raise EngineError(f"package '{package}' is installed but does not load: {error}") from None
