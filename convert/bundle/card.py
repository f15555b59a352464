"""The model card of a bundle, written from its own figures."""

from __future__ import annotations

from typing import Any

from edge.evaluation.runner import table

LIMITS = "limits.jpg"
"""Name of the picture in the bundle."""
USE = """\
## Intended use

Showing at a door, on the device alone, whether a person in front of the camera wears a face mask, so that a light can
remind them. A person decides what follows from the light.

Not for: identifying or counting people for other ends, judging health, age, sex or mood, deciding alone on somebody's
access, or certifying the kind or fit of a mask. The networks see colour and shape; a scarf may pass for a mask.

## Known limits

- Faces below about 12 pixels in the network's input, strong backlight, profiles and faces seen from above are found
  less often. "Turned aside" below are faces with narrow boxes: mostly profiles.
- Animals: drawn heads and a few photos were trained on, so most are told apart; another may be taken for a bare face.
- Masks worn below the nose are few among the training pictures, and many of those are drawn: see the figures below.
- A hand, a cup or a beard over the mouth was drawn in training, not photographed; expect errors.
- The score threshold was chosen on the validation pictures, and the classifier's calibration too: figures on other
  pictures will be somewhat lower. `maskcam accuracy` measures at your own door.
"""
HARD = """
The float classifier alone, on annotated boxes where cameras err. What is drawn is drawn by the training's own
code: a real hand is harder.

| case | accuracy | faces |
| --- | --- | --- |"""
SEEN = f"""\
## Limits in pictures

The demo's face made ever harder to see, without a mask and with one, and a mask that hangs ever lower (from a fifth of
the face's height on it should raise the alert). Framed red: not found, or wrong. The frame is 640 pixels wide.

![What the networks say of a face that is far, dark, askew, blurred, and of a mask that hangs too low]({LIMITS})
"""


def card(values: dict[str, Any]) -> str:
    """Markdown from the values of `bundle.json`."""
    d, c, accuracy = values["detector"], values["classifier"], values["accuracy"]
    size = {n: _size(values[n]) for n in ("detector", "classifier")}
    size["detector"] += "".join(f" or {_size(shape)}" for shape in d.get("shapes", ()))
    lines = [
        f"# Model card: {values['name']} ({values['created']})",
        "",
        f"Two networks, full int8 (TFLite) and float (ONNX). Licence: {values['licence']}.",
        "",
        "| network | input, RGB | output | operating point |",
        "| --- | --- | --- | --- |",
        f"| face detector | {size['detector']} | score and box per cell | {_operating(d)} |",
        f"| mask classifier | {size['classifier']}, margin {c['margin']} | {', '.join(c['labels'])} | the largest |",
        "",
        USE,
        "## Data",
        "",
        *(f"- {name}: {licence}" for name, licence in values["training"].get("data", {}).items()),
        "",
        "The pictures show real people and are not part of this package.",
        "",
        f"## Accuracy on {accuracy['data']}",
        "",
        "Faces of 12 pixels and more, IoU 0.4, at the operating point. `false/pic`: false alarms per picture.",
        "",
        "```",
        table(accuracy["sources"]),
        "```",
        "",
        "Float against int8, end to end:",
        "",
        "| | float | int8 |",
        "| --- | --- | --- |",
    ]
    for key in ("face_ap", "recall_masked", "recall_bare", "false_per_image", "label_accuracy"):
        a, b = (accuracy[kind][key] for kind in ("float", "int8"))
        if a == a:  # NaN: not measured on such pictures
            lines.append(f"| {key} | {a:.4f} | {b:.4f} |")
    lines += _compared(accuracy.get("compared"))
    int8 = accuracy["int8"]
    known = {
        "incorrectly_worn_alarmed": "of the incorrectly worn masks that are found raise the alert",
        "incorrectly_worn_named": "are said to be incorrectly worn",
        "masked_called_incorrectly_worn": "of the correctly worn masks are said to be incorrectly worn",
    }
    told = {key: text for key, text in known.items() if int8.get(key) is not None and int8[key] == int8[key]}  # no NaN
    said = [f"{int8[key]:.0%} {text}" for key, text in told.items()]
    if said:
        lines += ["", f"{'; '.join(said)}."]
    veto = accuracy.get("not_a_face")
    if veto and veto["alarms"] and veto["faces"]:
        alarms, faces = (veto[f"{name}_rejected"] / veto[name] for name in ("alarms", "faces"))
        lines += ["", f"Of {veto['alarms']} boxes of the detector that show no annotated face the classifier rejects "]
        lines[-1] += f"{alarms:.0%} as no face, and of {veto['faces']} that show one {faces:.1%}."
    lines += _hard_cases(values["training"].get("classifier", {}).get("val", {}).get("hard_cases", {}))
    return "\n".join([*lines, "", SEEN])


def _size(network: dict[str, Any]) -> str:
    return f"{network['input']['width']} x {network['input']['height']}"


def _operating(detector: dict[str, Any]) -> str:
    """The detector's operating points in words."""
    joint = detector.get("joint_threshold")
    return f"score {detector['score_threshold']}" + (f", with the classifier's doubt {joint}" if joint else "")


def _compared(said: dict[str, Any] | None) -> list[str]:
    """The bundle that this one replaced, on the same pictures."""
    if not said:
        return []
    lines = [
        "",
        f"Beside another bundle ({said['with']}, {said['created']}), int8, on the same {said['pictures']} pictures:",
        "",
        "| | new | old | 95 % of the difference |",
        "| --- | --- | --- | --- |",
    ]
    rows = said["figures"].items()
    return lines + [f"| {k} | {v['new']:.4f} | {v['old']:.4f} | {v['low']:+.4f} to {v['high']:+.4f} |" for k, v in rows]


def _hard_cases(cases: dict[str, dict[str, float]]) -> list[str]:
    """What the classifier's training measured where cameras err; nothing where it did not."""
    if not cases:
        return []
    return [HARD, *(f"| {name} | {c['accuracy']:.3f} | {c['faces']} |" for name, c in cases.items())]
