#!/usr/bin/env python3
"""Kills trainings, resumes them, and compares their style files, byte by byte, with those of undisturbed runs.

    python tools/campaigns/kill.py              # 120 kills, some minutes on two free CPU cores
    python tools/campaigns/kill.py --kills 300 --seed 1

Small networks and a loss network made of random numbers: a run takes seconds, and its files are the real ones. The seed
chooses the moments; where a run stands at a moment differs from time to time. Needs Linux.
"""

import argparse
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/support")]

from conftest import write_tiny_vgg  # noqa: E402
from runs import SMALL, Run  # noqa: E402
from workers import worked  # noqa: E402

from stylenet.models.style_file import read_card  # noqa: E402
from stylenet.training.run_folder import read_resolved  # noqa: E402

DIGEST = re.compile(rb'"settings\W+([0-9a-f]{64})')
LARGE = ["network.width=16", "network.blocks=2"]  # checkpoints of 3 MB, so that writing one takes a while
PARTS = "outputs/wave/*/.*.part"  # files that are being written
POLL = 0.0005  # seconds; a file of megabytes is written in some
PATIENCE = 1800  # seconds for one run: on a busy machine they take long


@dataclass
class Campaign:
    """One way to disturb a run."""

    name: str
    steps: int
    options: list[str] = field(default_factory=list)
    minutes: float | None = None  # instead of the steps, about which it should then come to
    while_writing: bool = False
    tear: bool = False  # what a power cut can do to the last checkpoint, and a kill cannot
    seen: Counter[str] = field(default_factory=Counter)


CAMPAIGNS = [
    Campaign("at any moment", 24),
    Campaign("at any moment, two batches to a step", 16, ["trainer.accumulate_grad_batches=2"]),
    Campaign("at any moment, a run by minutes", 24, minutes=0.02),
    Campaign("while a file is written", 12, LARGE, while_writing=True),
    Campaign("at any moment, then the last checkpoint torn", 24, tear=True),
]


class Killer:
    """Runs and kills in a folder of its own."""

    def __init__(self, campaign: Campaign, style: list[str], folder: Path, rng: random.Random) -> None:
        self.campaign, self.style, self.folder, self.rng = campaign, style, folder, rng
        length = f"minutes={campaign.minutes}" if campaign.minutes else f"steps={campaign.steps}"
        self.options = [*style, *campaign.options, length]
        self.whole: dict[int, bytes] = {}  # the style files of undisturbed runs, by their steps
        self.seconds = 0.0  # of work in the longest undisturbed run
        self.met: set[str] = set()  # files that were seen in a write
        self.undisturbed(campaign.steps)

    def undisturbed(self, steps: int) -> bytes:
        if steps not in self.whole:
            place = self.folder / f"whole-{steps}"
            place.mkdir()
            run = Run(place, *self.style, *self.campaign.options, f"steps={steps}")
            while run.process.is_alive():
                self.seconds = max(self.seconds, worked(run.process.pid))
                time.sleep(0.05)
            if run.end(PATIENCE):
                raise SystemExit(run.output)
            self.whole[steps] = (place / "checkpoints" / "wave.safetensors").read_bytes()
        return self.whole[steps]

    def disturb(self, name: str, kills: int) -> int:
        """One training to its end, killed up to so many times. Returns how often it was."""
        place, killed = self.folder / name, 0
        place.mkdir()
        while True:
            begun = list(place.glob("outputs/wave/*/resolved.json"))
            run = Run(place, *(["style=wave", "resume=auto"] if begun else self.options))
            if killed == kills or not self.kill(run, place):
                break
            killed += 1
            self.look_at(place)
        if run.end(PATIENCE):
            raise SystemExit(f"{self.campaign.name}: a resumed run failed\n{run.output}")
        (folder,) = place.glob("outputs/wave/*/wave.safetensors")
        expected = self.undisturbed(read_resolved(folder.parent)["steps"])
        self.campaign.seen["ends equal" if by_steps(folder, expected) == expected else "ENDS DIFFERENT"] += 1
        return killed

    def kill(self, run: Run, place: Path) -> bool:
        """At a random moment, by the work that it has done, or in a write. False where the run was faster."""
        moment = self.rng.uniform(0, self.seconds)
        while run.process.is_alive() and (self.campaign.while_writing or worked(run.process.pid) < moment):
            if self.campaign.while_writing and self.is_held_in_a_write(run, place):
                break
            time.sleep(POLL if self.campaign.while_writing else 0.005)
        if not run.process.is_alive():
            return False
        run.send(signal.SIGKILL)
        return run.end() == -signal.SIGKILL

    def is_held_in_a_write(self, run: Run, place: Path) -> bool:
        """Stops a run where it stands in a write. One in six, else no run would get to later ones, and to its end."""
        new = {path.name for path in place.glob(PARTS)} - self.met
        self.met |= new
        if not new or self.rng.random() > 1 / 6:
            return False
        time.sleep(self.rng.uniform(0, 0.01))
        run.send(signal.SIGSTOP)
        if any(path.name in new for path in place.glob(PARTS)):
            return True
        run.send(signal.SIGCONT)
        return False

    def look_at(self, place: Path) -> None:
        """The files that the kill left; sometimes damaged further."""
        last, begun = list(place.glob("outputs/wave/*/last.ckpt")), list(place.glob("outputs/wave/*/resolved.json"))
        seen = self.campaign.seen
        seen["kills"] += 1
        seen["before there was a run"] += not begun
        seen["before the first checkpoint"] += bool(begun and not last)
        seen["in a write"] += any(place.glob(PARTS))
        if self.campaign.tear and last and self.rng.random() < 0.5:
            data = bytearray(last[0].read_bytes())
            place_of_damage = self.rng.randrange(len(data))
            if self.rng.random() < 0.5:
                data = data[:place_of_damage]
            else:
                data[place_of_damage : place_of_damage + 4096] = bytes(4096)
            last[0].write_bytes(data)
            seen["checkpoints torn"] += 1


def by_steps(result: Path, expected: bytes) -> bytes:
    """A style file as if its run had been given the steps and not the minutes: its card has a hash of the settings."""
    own, other = str(read_card(result).facts["settings"]).encode(), DIGEST.search(expected)
    return result.read_bytes().replace(own, other[1]) if other else b""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=120, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="campaigns with this in their name")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    campaigns = [campaign for campaign in CAMPAIGNS if arguments.only in campaign.name]
    with tempfile.TemporaryDirectory() as name:
        write_tiny_vgg(Path(name) / "vgg.safetensors")
        style = ["style=wave", f"loss_network.weights={name}/vgg.safetensors", *SMALL, "logger.sheet_every=10"]
        for campaign in campaigns:
            begun = time.monotonic()
            killer = Killer(campaign, style, Path(tempfile.mkdtemp(dir=name)), rng)
            wanted = arguments.kills // len(campaigns)
            while campaign.seen["kills"] < wanted:
                number = campaign.seen.total()
                kills = killer.disturb(f"run-{number}", min(8, wanted - campaign.seen["kills"]))
                print(f"  a training with {kills} kills", flush=True)
            told = ", ".join(f"{count} {what}" for what, count in campaign.seen.items() if count)
            print(f"{campaign.name}: {told} ({time.monotonic() - begun:.0f} s)", flush=True)
    return int(any(campaign.seen["ENDS DIFFERENT"] for campaign in CAMPAIGNS))


if __name__ == "__main__":
    sys.exit(main())
