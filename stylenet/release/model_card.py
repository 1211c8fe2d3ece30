"""The pages that go with trained networks: where one comes from, how it was trained, how good it is, what falls short.

All of it comes from the card inside the style file, but for what the machine tells: minutes, milliseconds, megabytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stylenet.losses.settings import LossSettings

GOAL_SIZE = 512  # pixels, at which the goals are to be reached: strokes are measured in pixels
AT_MOST = {"chroma": 1.25, "coarse_most": 1.5, "empty": 0.03, "color_sw": 4.0, "shift": 6.0, "noise": 1.6}
AT_LEAST = {"chroma": 0.95, "texture": 0.95, "coarse_least": 0.9, "ssim": 0.28}
GATYS_FROM_NOISE = 50  # steps
FIGURES = {
    "content": "content loss",
    "style": "style loss",
    "style_baseline": "style loss of the photos themselves",
    "style_ratio": "ratio of the two",
    "style_ratio_vgg16": "the same by torchvision's VGG16",
    "chroma": "chroma, of the painting's",
    "texture": "texture, of the painting's",
    "coarse_least": "weakest coarse band, of the painting's",
    "coarse_most": "strongest coarse band, of the painting's",
    "empty": "empty areas, share above the painting's",
    "color_sw": "distance of the colors, in Lab units",
    "feature_sw": "distance of the features",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "shift": "change for a shift of 1 px, of 255",
    "noise": "noise gain",
    "contrast": "contrast, of 255",
    "grid": "grid, of 255",
    "blobs": "blobs, share of squares",
    "frame": "frame, of 255",
    "not_finite": "values that are no numbers, share",
}
COLUMNS = {  # of the index
    "chroma": "chroma",
    "texture": "texture",
    "coarse_least": "coarse bands from",
    "coarse_most": "to",
    "empty": "empty",
    "color_sw": "color_sw",
    "ssim": "SSIM",
    "shift": "shift",
    "noise": "noise",
}


def page(
    facts: Mapping[str, Any], name: str, run: Mapping[str, Any], machine: Mapping[str, Any], megabytes: float
) -> str:
    """Markdown. `run` is `minutes` and `device` of the training where they are known; `machine` is `device` and
    `milliseconds` by size of the one that the page is made on.
    """
    figures = facts["figures"]
    parts = [
        f"# {title(facts, name)}",
        f"![photos, stylized photos, the painting]({name}.jpg)",
        f"`python infer.py photo.jpg -s {name}`",
        verdict(figures),
        origin(facts, run, megabytes),
        f"On the {figures[0]['photos']} built-in held-out photos, with the goals at {GOAL_SIZE} px:",
        table(figures, machine["milliseconds"]),
        f"The last row is one image through the network, without files: {machine['device']}.",
        gatys(figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def title(facts: Mapping[str, Any], name: str) -> str:
    painting = facts["painting"].get("title")
    return f"{painting} (`{name}`)" if painting else name


def origin(facts: Mapping[str, Any], run: Mapping[str, Any], megabytes: float) -> str:
    painting, training, loss = facts["painting"], facts["training"], facts["loss"]
    about = ", ".join(str(painting[key]) for key in ("artist", "year", "source", "license") if painting.get(key))
    start = f"the network `{training['init']['style']}`" if training.get("init") else "random weights"
    size = f"{training['batch']} at {training['crop']} px, rate {training['learning_rate']:g}, {training['precision']}"
    took = f"; {run['minutes']:.0f} minutes on {run['device']}" if run else ""
    settings = LossSettings.from_card(loss)
    black = f"; luminance {facts['black']} of 255 becomes 0" if facts.get("black") else ""
    rows = {
        "painting": f"{about}; seen at {painting['size']} px",
        "photos": "; ".join(facts["photos"]),
        "training": f"{training['steps']} steps of {size}, seed {training['seed']}, from {start}{took}",
        "loss": f"content at {', '.join(loss['content_layers'])}; style at {', '.join(loss['style_layers'])}; "
        f"weights {', '.join(f'{term} {weight:g}' for term, weight in settings.weights.items())}{changes(settings)}",
        "loss network": facts["loss_network"]["name"],
        "network": f"{facts['parameters']:,} parameters, {megabytes:.1f} MB{black}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])


def changes(loss: LossSettings) -> str:
    """What the loss changes of the painting and of flat areas; nothing in older recipes."""
    flat = f"; content in flat areas times {loss.flat_content:g}" if loss.flat_content < 1 else ""
    lightness = f"; lightness of a dull painting times at most {loss.lightness:g}" if loss.lightness != 1 else ""
    return flat + lightness + (f"; chroma of the painting times {loss.chroma:g}" if loss.chroma != 1 else "")


def table(figures: Sequence[Mapping[str, Any]], milliseconds: Mapping[int, float]) -> str:
    """A row for each figure with its goal, a column for each size; what misses its goal is bold."""
    sizes = [f"{found['size']} px" for found in figures]
    lines = [f"| | {' | '.join(sizes)} |", f"|---|{'---|' * len(sizes)}"]
    for key, label in FIGURES.items():
        if all(key in with_coarse(found) for found in figures):
            lines.append(f"| {label}{goal(key)} | {' | '.join(cell(found, key) for found in figures)} |")
    times = [f"{milliseconds[found['size']]:.1f}" for found in figures]
    lines.append(f"| milliseconds | {' | '.join(times)} |")
    return "\n".join(lines)


def with_coarse(found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures with the weakest and the strongest of the three coarse bands beside them."""
    coarse = [band for band in found.get("bands", [])[2:] if band is not None]
    return {**found, **({"coarse_least": min(coarse), "coarse_most": max(coarse)} if coarse else {})}


def cell(found: Mapping[str, Any], key: str) -> str:
    """A figure, bold where it misses its goal; a dash on cards without it and where the painting has no such figure."""
    value = with_coarse(found).get(key)
    if value is None:
        return "–"
    return f"**{value:.3g}**" if key in missed_goals(found) else f"{value:.3g}"


def at_goal_size(figures: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((found for found in figures if found["size"] == GOAL_SIZE), figures[0])


def goal(key: str) -> str:
    if key in AT_LEAST and key in AT_MOST:
        return f" ({AT_LEAST[key]:g} to {AT_MOST[key]:g})"
    most = f" (at most {AT_MOST[key]:g})" if key in AT_MOST else ""
    return most + (f" (at least {AT_LEAST[key]:g})" if key in AT_LEAST else "")


def missed_goals(found: Mapping[str, Any]) -> dict[str, float]:
    """The goals that a figure falls short of at `GOAL_SIZE`; one that was not measured falls short of none."""
    if found["size"] != GOAL_SIZE:
        return {}
    known = {key: value for key, value in with_coarse(found).items() if value is not None}
    over = {key: most for key, most in AT_MOST.items() if key in known and known[key] > most}
    return over | {key: least for key, least in AT_LEAST.items() if key in known and known[key] < least}


def gatys(figures: Sequence[Mapping[str, Any]]) -> str:
    """The Gatys-equivalents, where they were looked for."""
    lines = []
    for found in figures:
        for name, each in found.get("gatys", {}).items():
            start, optimizer = name.split("/")
            steps = f"{told(each)} steps of {optimizer}, 90 % of resamples {each['low']}-{each['high']}"
            photos = f"{found['gatys_photos']} photo{'s' * (found['gatys_photos'] > 1)} of {found['size']} px"
            lines.append(f"- {photos}, from {start}: {steps}")
    about = f"Gatys-equivalent (at least {GATYS_FROM_NOISE} from noise):"
    return "\n".join([about, "", *lines]) if lines else ""


def told(equivalent: Mapping[str, Any]) -> str:
    # Where the steps did not suffice, that counts as one more than all of them.
    return str(equivalent["steps"] or f"more than {equivalent['high'] - 1}")


def verdict(figures: Sequence[Mapping[str, Any]]) -> str:
    """Lists the figures that fall short of the goals."""
    short = [text for found in figures for text in shortcomings(found)]
    return "Falls short: " + "; ".join(short) + "." if short else "Reaches every goal that it was measured for."


def shortcomings(found: Mapping[str, Any]) -> list[str]:
    size = f"at {found['size']} px"
    values = with_coarse(found)
    texts = [f"{FIGURES[key]} {values[key]:.3g} {size}, goal {value:g}" for key, value in missed_goals(found).items()]
    return texts + [f"{complaint} {size}" for complaint in found["complaints"]] + slow_gatys(found, size)


def slow_gatys(found: Mapping[str, Any], size: str) -> list[str]:
    """The better optimizer counts."""
    steps = best_gatys(found, "noise")
    if steps is None or steps >= GATYS_FROM_NOISE:
        return []
    return [f"Gatys-equivalent from noise {steps} {size}, goal {GATYS_FROM_NOISE}"]


def best_gatys(found: Mapping[str, Any], start: str) -> int | None:
    each = [value["steps"] for name, value in found.get("gatys", {}).items() if name.startswith(f"{start}/")]
    return min((steps for steps in each if steps), default=None)


def index(cards: Mapping[str, Mapping[str, Any]], many: Mapping[str, int] | None = None) -> str:
    """All networks as one table in Markdown, by their figures at `GOAL_SIZE`, then the sheets of their pages.

    `many` are networks of many styles, with how many: a line each below the table, as no figures are theirs alone.
    """
    head = ["network", "painting", "steps, from", *COLUMNS.values(), "complaints"]
    rows = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    rows += [index_row(name, facts) for name, facts in sorted(cards.items())]
    about = f"On the built-in held-out photos at {GOAL_SIZE} px; bold misses its goal; a name leads to its page."
    made = "Made by `stylenet release`, as the pages are."
    for name, count in sorted((many or {}).items()):
        rows += ["", f"[{name}]({name}.md): one network, {count} styles."]
    for name in sorted(cards):
        rows += ["", f"[{name}]({name}.md)", "", f"![{name}]({name}.jpg)"]
    return "\n".join(["# Networks", "", about, made, "", *rows]) + "\n"


def index_row(name: str, facts: Mapping[str, Any]) -> str:
    found, painting, training = at_goal_size(facts["figures"]), facts["painting"], facts["training"]
    start = f"`{training['init']['style']}`" if training.get("init") else "–"
    about = ", ".join(str(painting[key]) for key in ("title", "artist", "year") if painting.get(key))
    complaints = "; ".join(found["complaints"]) or "none"
    cells = [f"[{name}]({name}.md)", about, f"{training['steps']}, {start}", *(cell(found, key) for key in COLUMNS)]
    return f"| {' | '.join([*cells, complaints])} |"
