"""Trains the networks of `checkpoints/` by the default recipe, in several calls: each resumes the last one's work.
Needs neither Hydra nor wandb nor datasets, and writes below the working directory: `outputs/`, `checkpoints/`.

python benchmarks/networks.py --seconds 540                all of them; ends after nine minutes
python benchmarks/networks.py wave starry-small steps=20   these, with settings of `stylenet train`

Exit code 75: not finished, call it again.
"""

import argparse
import logging
import os
import signal
import sys
from dataclasses import asdict, is_dataclass, replace
from typing import Any

import yaml

from stylenet.cli.command import quieten
from stylenet.cli.release import SMALLER, halve, is_made, stopped_run, style_file
from stylenet.data.painting import STYLES
from stylenet.errors import UserError
from stylenet.evaluation.settings import EvaluationSettings
from stylenet.release.pages import write_index, write_page
from stylenet.training.checks import find_machine
from stylenet.training.resume import Start, newest_whole
from stylenet.training.run import train
from stylenet.training.run_folder import settings_digest
from stylenet.training.settings import Settings, network_preset, style_settings, with_budget

NOT_DONE = 75  # EX_TEMPFAIL
log = logging.getLogger(__name__)


def settings_of(name: str, changes: dict[str, Any]) -> Settings:
    """What `stylenet train` would take for a network such as `starry-small` with these settings."""
    painting, _, network = name.partition("-")
    style = replace(style_settings(painting), suffix=f"-{network}" if network else "")
    settings = Settings(style=style, network=network_preset(network or "full"), replace=True)
    for setting, value in changes.items():
        *parts, last = setting.split(".")
        part: Any = settings
        for each in parts:
            part = part[each] if isinstance(part, dict) else getattr(part, each, None)
        if isinstance(part, dict):
            part[last] = value
        elif is_dataclass(part) and hasattr(part, last):
            setattr(part, last, value)
        else:
            raise UserError(f"there is no setting {setting}")
    on_gpu = find_machine(settings.trainer).device.type != "cpu"
    return with_budget(settings, on_gpu, with_init="init" not in changes)


def make(name: str, settings: Settings) -> int:
    """Trains a network, or what is left of it, unless it is there; then its card. Returns the exit code of the run."""
    digest = settings_digest(asdict(settings))
    if not is_made(name, digest):
        stopped = stopped_run(name, digest)
        result = train(settings, start=Start(stopped, newest_whole(stopped)) if stopped else None)
        if result.exit_code:
            return result.exit_code
    halve(style_file(name))
    write_page(style_file(name), EvaluationSettings(weights=settings.loss_network.weights, lpips=True))
    write_index()
    return 0


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    quieten()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="NAME or SETTING=VALUE")
    parser.add_argument("--seconds", type=float, help="of this call; without it, until all is done")
    chosen = parser.parse_args()
    changes = {name: yaml.safe_load(value) for name, _, value in (w.partition("=") for w in chosen.words if "=" in w)}
    names = [word for word in chosen.words if "=" not in word]
    names = names or [*sorted(path.stem for path in STYLES.glob("*.jpg")), *SMALLER]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(NOT_DONE))  # between trainings, which have their own handler
    if chosen.seconds:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, chosen.seconds)
    failed = 0
    for name in names:
        try:
            if make(name, settings_of(name, changes)):
                return NOT_DONE
        except UserError as error:  # the others have their turn
            failed = 1
            log.error("%s: %s", name, error)
    return failed


if __name__ == "__main__":
    sys.exit(main())
