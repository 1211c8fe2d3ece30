"""The parts of a service, and the start and end of all of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.models.catalog import StyleReference, find_reference, styles
from stylenet.models.loading import select_style
from stylenet.models.style_file import Card, read_card, read_style
from stylenet.serve.jobs import Jobs
from stylenet.serve.load import Load
from stylenet.serve.metrics import Metrics
from stylenet.serve.pool import Pool, devices_for
from stylenet.serve.results_folder import ResultsFolder
from stylenet.serve.settings import ServiceSettings


@dataclass(frozen=True)
class Service:
    """The parts of a service. `facts` is what /v1/styles says of each style."""

    settings: ServiceSettings
    files: dict[str, StyleReference]
    facts: list[dict[str, Any]]
    pool: Pool
    jobs: Jobs
    load: Load
    metrics: Metrics

    def fallback(self, style: str) -> str | None:
        """The name of the style's tiny network; None if it is not served, or is the style itself."""
        tiny = tiny_of(style)
        return tiny if tiny != style and tiny in self.files else None


def build(settings: ServiceSettings) -> Service:
    """The parts, not started yet. Raises `UserError` for a style that is missing or damaged."""
    files = served_styles(settings.styles, settings.fallback is not None)
    cards = cards_of(files)
    pool = Pool(files, devices_for(settings.device, settings.workers))
    metrics = Metrics()
    jobs = Jobs(settings, pool, ResultsFolder(settings.results), on_done=metrics.stylized)
    metrics.watch(pool, jobs)
    facts = [describe_style(name, card) for name, card in cards.items()]
    return Service(settings, files, facts, pool, jobs, Load(settings, pool), metrics)


def served_styles(wanted: Sequence[str], fallback: bool) -> dict[str, StyleReference]:
    """The styles by the names under which they are served; with their tiny networks where they may fall back.

    Those with a file of their own come first: the first one is the example of `/docs` and of the form. Raises
    `UserError` if there is none, or two have one name.
    """
    files: dict[str, StyleReference] = {}
    for style in wanted or list(styles()):
        for name, reference in references(style).items():
            if files.setdefault(name, reference) != reference:
                raise UserError(f"two styles are named {printable(name)}")
    if not files:
        raise UserError("there are no styles in checkpoints/ to serve")
    if fallback:
        known = styles()
        tiny = {tiny_of(name) for name in files} & set(known)
        files |= {name: StyleReference(known[name].resolve()) for name in tiny}
    return dict(sorted(files.items(), key=lambda item: item[1].style is not None))


def references(style: str) -> dict[str, StyleReference]:
    """The style of a name or a file of whoever starts the service, or all styles of a network of many.

    Those of many are named `gallery#wave`, as the file `wave` may be there too. Absolute paths, as workers are forked
    from a process that may have another working directory.
    """
    found = find_reference(style)
    name, file = StyleReference(found.file).name, found.file.resolve()
    inside = [found.style] if found.style else read_card(found.file).style_names
    return {f"{name}#{each}": StyleReference(file, each) for each in inside} or {name: StyleReference(file)}


def cards_of(files: Mapping[str, StyleReference]) -> dict[str, Card]:
    """The card of each style. Each file is read whole, once, so that no worker fails on one. Raises `UserError`."""
    whole = {file: read_style(file) for file in {reference.file for reference in files.values()}}
    return {name: select_style(reference, *whole[reference.file])[1] for name, reference in files.items()}


def tiny_of(style: str) -> str:
    """The name that the tiny network of a style has in `checkpoints/`."""
    return f"{style.removesuffix('-tiny').removesuffix('-small')}-tiny"


def describe_style(name: str, card: Card) -> dict[str, Any]:
    """A style's entry in /v1/styles."""
    painting = card.facts.get("painting")
    painting = painting if isinstance(painting, dict) else {}
    facts = {key: str(painting[key]) for key in ("title", "artist", "year") if painting.get(key)}
    return {"name": name, **facts, "width": card.network.width, "blocks": card.network.blocks}


@asynccontextmanager
async def run_service(service: Service) -> AsyncIterator[None]:
    """Starts the workers; ends them after the block and deletes all results."""
    service.pool.start()
    sweeping = asyncio.create_task(service.jobs.sweep_forever())
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.to_thread(service.pool.close)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*service.jobs.tasks, sweeping)
        for id_ in list(service.jobs.jobs):
            service.jobs.remove(id_)
        service.jobs.folder.close()
