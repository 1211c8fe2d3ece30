"""Loss curves as SVG, one line for each run."""

import math
from collections.abc import Callable, Sequence
from html import escape

from stylenet.report.runs import Curve, Run

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 24  # pixels around the plot
POINTS_OF_ALL = 60_000  # of all curves of a page
LEADING = ("loss/total", "loss/content", "loss/style")  # these charts come first
HUE_STEP = 137.508  # degrees: neighbors in the list differ most


def hue(number: int) -> int:
    """The color of a run, by its number."""
    return round(210 + number * HUE_STEP) % 360


def charts(runs: Sequence[Run]) -> list[str]:
    """A chart for each metric that some run logged more than once: losses first, then held-out figures."""
    names = sorted({name for run in runs for name, curve in run.curves.items() if is_shown(name) and len(curve) > 1})
    names.sort(
        key=lambda name: (LEADING.index(name) if name in LEADING else len(LEADING), not name.startswith("loss/"))
    )
    points = max(20, min(200, POINTS_OF_ALL // max(1, len(names) * len(runs))))
    return [chart(name, [run.curves.get(name, []) for run in runs], points) for name in names]


def is_shown(name: str) -> bool:
    return name.startswith(("loss/", "held_out/"))


def chart(name: str, curves: Sequence[Curve], points: int = 200) -> str:
    """A figure with axes. The values are on a logarithmic axis where all are positive and differ by more than 8."""
    values = [value for curve in curves for _, value in curve]
    last_step = max(step for curve in curves for step, _ in curve)
    low, high = min(values), max(values)
    logarithmic = low > 0 and high / low > 8
    scale = math.log10 if logarithmic else float
    bottom, top = scale(low), scale(high)
    if top == bottom:
        bottom, top = bottom - 0.5, top + 0.5

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, last_step)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (top - scale(value)) / (top - bottom)

    grid = "".join(_tick(tick, y(tick)) for tick in ticks(low, high, logarithmic))
    lines = "".join(
        f'<path class="line" data-run="{number}" style="--hue:{hue(number)}"'
        f' d="{_path(thin_out(curve, points), x, y)}"/>'
        for number, curve in enumerate(curves)
        if curve
    )
    axis = f'<text class="tick" x="{LEFT}" y="{HEIGHT - 6}">0</text>'
    axis += f'<text class="tick end" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}">step {last_step:,}</text>'
    label = f"{escape(name)}{', logarithmic' if logarithmic else ''}"
    return (
        f'<figure><figcaption>{label}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(name)} by step">{grid}{axis}{lines}</svg></figure>'
    )


def _tick(value: float, height: float) -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
    return f'{line}<text class="tick end" x="{LEFT - 6}" y="{height + 3.5:.1f}">{value:g}</text>'


def _path(curve: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    return "M" + "L".join(f"{x(float(step)):.1f} {y(value):.1f}" for step, value in curve)


def thin_out(curve: Curve, points: int) -> Curve:
    """At most so many points: the mean of each stretch, the first and the last as they are."""
    if len(curve) <= points:
        return curve
    inner, stretch = curve[1:-1], (len(curve) - 2) / (points - 2)
    parts = [inner[int(i * stretch) : int((i + 1) * stretch)] for i in range(points - 2)]
    means = [
        (round(sum(s for s, _ in part) / len(part)), sum(v for _, v in part) / len(part)) for part in parts if part
    ]
    return [curve[0], *means, curve[-1]]


def ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Three to seven round values between both; the one value where they are equal."""
    if high <= low:
        return [low]
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [value for value in found if low <= value <= high]
            if len(found) <= 7:
                break
        return found[:: max(1, len(found) // 6)]
    step = 10.0 ** math.floor(math.log10(high - low))
    while (high - low) / step < 3:
        step /= 2
    first = math.ceil(low / step)
    found = [(first + i) * step for i in range(int((high - low) / step) + 1)]
    return [value for value in found if low <= value <= high][:: max(1, len(found) // 6)]
