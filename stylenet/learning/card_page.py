"""The page that goes with a trained network: where it comes from, how it was trained, and how good it is.

Everything on it comes from the card inside the style file and from `stylenet.evaluate`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# What a network is to reach at every size that it is evaluated at.
AT_MOST, AT_LEAST = {"shift": 4.0, "noise": 1.0}, {"ssim": 0.3}
GATYS_FROM_NOISE = 50  # steps
FIGURES = {
    "content": "content loss",
    "style": "style loss",
    "untouched": "style loss of the untouched photos",
    "share": "share: style over untouched",
    "judged": "share by the judge",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "shift": "change for a shift of 1 px, of 255",
    "noise": "noise gain",
    "contrast": "contrast, of 255",
    "grid": "grid",
    "blobs": "blobs",
    "frame": "frame",
    "milliseconds": "milliseconds a picture",
}


def page(
    facts: Mapping[str, Any], name: str, figures: Sequence[Mapping[str, Any]], machine: str, megabytes: float
) -> str:
    """Markdown; `figures` has what `stylenet.evaluate` found, one mapping for each size."""
    painting = facts["painting"]
    parts = [
        f"# {painting.get('title') or name}",
        f"![photos, stylised photos, the painting]({name}.jpg)",
        origin(facts, megabytes),
        f"Held-out photos, each by the network alone ({machine}):",
        table(figures),
        gatys(figures),
        verdict(figures),
        f"`python infer.py photo.jpg -s {name}`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def origin(facts: Mapping[str, Any], megabytes: float) -> str:
    painting, training, loss = facts["painting"], facts["training"], facts["loss"]
    about = ", ".join(str(painting[key]) for key in ("artist", "year", "source") if painting.get(key))
    start = training["init"]["style"] if training.get("init") else "random weights"
    size = f"{training['batch']} at {training['crop']} px, {training['precision']}"
    rows = {
        "painting": about,
        "photos": "; ".join(facts["photos"]),
        "training": f"{training['steps']} steps of {size}, from {start}",
        "loss": f"{facts['loss_network']['name']}; content {', '.join(loss['content_layers'])}; "
        f"style {', '.join(loss['style_layers'])}, weight {loss['style_weight']:g}",
        "network": f"{facts['parameters']:,} parameters, {megabytes:.1f} MB",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    """A row for each figure, a column for each size."""
    sizes = [f"{found['size']} px" for found in figures]
    lines = [f"| | {' | '.join(sizes)} |", f"|---|{'---|' * len(sizes)}"]
    for key, label in FIGURES.items():
        if all(key in found for found in figures):
            lines.append(f"| {label} | {' | '.join(f'{found[key]:.4g}' for found in figures)} |")
    return "\n".join(lines)


def gatys(figures: Sequence[Mapping[str, Any]]) -> str:
    """The Gatys-equivalents, where they were looked for."""
    lines = []
    for found in figures:
        for name, each in found.get("gatys", {}).items():
            steps = each["steps"] or f"more than {len(each['curve'])}"
            lines.append(f"- {found['size']} px, {name}: {steps} steps ({each['low']}-{each['high']})")
    return "\n".join(["Gatys-equivalent, with 90 % of resamples:", "", *lines]) if lines else ""


def verdict(figures: Sequence[Mapping[str, Any]]) -> str:
    """What falls short of the goals; or that nothing does."""
    short = [text for found in figures for text in shortcomings(found)]
    return "Falls short: " + "; ".join(short) + "." if short else "Reaches every goal that it was measured for."


def shortcomings(found: Mapping[str, Any]) -> list[str]:
    size = f"at {found['size']} px"
    missed = {key: goal for key, goal in AT_MOST.items() if found[key] > goal}
    missed |= {key: goal for key, goal in AT_LEAST.items() if found[key] < goal}
    figures = [f"{FIGURES[key]} {found[key]:.3g} {size}, goal {goal:g}" for key, goal in missed.items()]
    return figures + [f"{complaint} {size}" for complaint in found["complaints"]] + slow_gatys(found, size)


def slow_gatys(found: Mapping[str, Any], size: str) -> list[str]:
    """The better optimiser counts."""
    each = [value for name, value in found.get("gatys", {}).items() if name.startswith("noise/")]
    steps = [value["steps"] for value in each if value["steps"]]
    if not steps or min(steps) >= GATYS_FROM_NOISE:
        return []
    return [f"Gatys-equivalent from noise {min(steps)} {size}, goal {GATYS_FROM_NOISE}"]
