"""The model card: what a network is for, what it learnt from, how good it is, where it errs."""

from __future__ import annotations

from typing import Any


def classifier(report: dict[str, Any]) -> str:
    """Markdown from the `report` that `train.classifier.training.run` returns."""
    config, val = report["config"], report["val"]
    width = f" {config['alpha']}" if config["backbone"] == "mobilenetv2" else ""
    lines = [
        "# Mask classifier",
        "",
        f"{config['backbone']}{width}, input {config['size']} x {config['size']} RGB (byte / 127.5 - 1), "
        f"output probabilities of {', '.join(report['labels'])}.",
        f"It expects a face cut out with a margin of {config['margin']} of its longer side on each side.",
        "",
        "**For:** telling whether the person at a door wears a mask, on the device, as a reminder.",
        "**Not for:** identifying people, medical or legal decisions, judging whether a mask fits or protects.",
        "",
        "## Accuracy on pictures it was not trained on",
        "",
        "| label | precision | recall | f1 | faces |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, r in val["labels"].items():
        lines.append(f"| {name} | {r['precision']:.3f} | {r['recall']:.3f} | {r['f1']:.3f} | {r['support']} |")
    lines += [
        "",
        f"Accuracy {val['accuracy']:.3f} on {val['faces']} faces, expected calibration error {val['ece']:.3f}"
        + (" (the temperature was fitted on the same faces)." if "temperature" in report else "."),
        f"Split by {report['split']}; {report['leaked']} validation files have a near-duplicate in the training part.",
        "",
        "| slice | accuracy | faces |",
        "| --- | --- | --- |",
    ]
    for key in ("by_source", "by_size", "hard_cases"):
        lines += [f"| {name} | {r['accuracy']:.3f} | {r['faces']} |" for name, r in val[key].items()]
    for name, r in report["also"].items():
        lines.append(f"| measured only: {name} | {r['accuracy']:.3f} | {r['faces']} |")
    lines += ["", "## Training pictures", "", "| source | faces by label |", "| --- | --- |"]
    for source, labels in report["training"].items():
        lines.append(f"| {source} | {', '.join(f'{n} {label}' for label, n in labels.items())} |")
    lines += [
        "",
        "The pictures keep the licences of their sources and are not part of the model.",
        "",
        "## Limits",
        "",
        "Incorrectly worn masks are the hardest to tell: see the rows that name them.",
        "Faces of few pixels, in profile or in the dark are the least sure: see the rows by size.",
        "Accuracy by age, skin colour or dress was not measured: the pictures do not say.",
        "",
    ]
    return "\n".join(lines)
