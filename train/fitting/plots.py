"""Curves of a training as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def curves(history: list[dict[str, float]], keys: list[str], path: Path, title: str) -> None:
    """One panel per key over the epochs; `val_<key>` is drawn into the same panel where it exists."""
    figure, axes = plt.subplots(1, len(keys), figsize=(4.2 * len(keys), 3.4), squeeze=False, layout="constrained")
    epochs = [int(h["epoch"]) + 1 for h in history]
    for axis, key in zip(axes[0], keys, strict=True):
        for name, label in ((key, "training" if f"val_{key}" in history[0] else key), (f"val_{key}", "validation")):
            if name in history[0]:
                axis.plot(epochs, [h.get(name, float("nan")) for h in history], label=label)
        axis.set(xlabel="epoch", title=key)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)
