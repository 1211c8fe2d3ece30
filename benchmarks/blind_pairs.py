"""Blind comparison of two tools: unlabeled pairs to judge by eye, and the count of the answers.

python benchmarks/blind_pairs.py FOLDER --ours DIR --theirs DIR [--seed 0]
python benchmarks/blind_pairs.py FOLDER --answers FILE

The first command takes images with the same stems from both folders and writes each pair as one image,
`FOLDER/pair-01.png` and so on, in random order and with left and right at random. The key is `FOLDER-key.json`, beside
the folder: whoever judges sees only the folder. The second command counts how often ours won. Answers are `left`,
`right` or `tie`, in a CSV file with the columns `pair` and `answer` (a row for each answer; a pair may be judged
several times), or in a JSON file as `{"pair-01": "left", "pair-02": ["right", "tie"]}`.
"""

import argparse
import csv
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from stylenet.errors import UserError
from stylenet.media.encoders import write_image
from stylenet.media.image import decode_image

ANSWERS = ("left", "right", "tie")
GAP = 16  # pixels, white


def by_stem(folder: Path) -> dict[str, Path]:
    """The files of a folder. Raises `UserError` where two have one stem."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    found = {path.stem: path for path in files}
    if len(found) < len(files):
        raise UserError(f"{folder} has files of one stem and different suffixes")
    return found


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Both images at the size of the smaller one, so that size does not reveal the tool."""
    width, height = min(left.size, right.size, key=lambda size: size[0] * size[1])
    result = Image.new("RGB", (2 * width + GAP, height), "white")
    for place, picture in ((0, left), (width + GAP, right)):
        result.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (place, 0))
    return result


def make(folder: Path, ours: Path, theirs: Path, seed: int) -> int:
    """Writes pairs and key; returns the number of pairs. Raises `UserError`."""
    first, second = by_stem(ours), by_stem(theirs)
    stems = sorted(first.keys() & second.keys())
    if not stems:
        raise UserError(f"{ours} and {theirs} have no stem in common")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty")
    rng = random.Random(seed)
    rng.shuffle(stems)
    key = {}
    for number, stem in enumerate(stems, start=1):
        name, swapped = f"pair-{number:0{max(2, len(str(len(stems))))}}", rng.random() < 0.5
        pair = [decode_image(file[stem]) for file in (first, second)]
        write_image(folder / f"{name}.png", side_by_side(*(reversed(pair) if swapped else pair)))
        key[name] = {"stem": stem, "ours": "right" if swapped else "left"}
    key_file(folder).write_text(json.dumps({"ours": str(ours), "theirs": str(theirs), "seed": seed, "pairs": key}))
    return len(stems)


def key_file(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.with_name(f"{folder.name}-key.json")


def read_answers(file: Path) -> list[tuple[str, str]]:
    """Pair and answer of each row. Raises `UserError`."""
    try:
        if file.suffix.lower() == ".json":
            given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return [
                (pair, each) for pair, some in given.items() for each in ([some] if isinstance(some, str) else some)
            ]
        with file.open(newline="", encoding="utf-8-sig") as lines:  # spreadsheets write a byte order mark
            return [(row["pair"].strip(), row["answer"].strip()) for row in csv.DictReader(lines)]
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} must have a pair and an answer in each row") from error


def tally(folder: Path, answers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """How often ours won, lost or tied, and how many pairs have no answer. Raises `UserError`."""
    try:
        pairs = json.loads(key_file(folder).read_text())["pairs"]
    except OSError as error:
        raise UserError(f"{key_file(folder)}: {error.strerror}") from error
    counts: Counter[str] = Counter(wins=0, losses=0, ties=0)
    for pair, answer in answers:
        name = Path(pair).stem
        if name not in pairs or answer not in ANSWERS:
            raise UserError(
                f"an answer must be one of {', '.join(ANSWERS)} to a pair of {folder}, got {pair}: {answer}"
            )
        counts["ties" if answer == "tie" else "wins" if answer == pairs[name]["ours"] else "losses"] += 1
    missing = len(pairs.keys() - {Path(pair).stem for pair, _ in answers})
    return {**counts, "unanswered": missing}


def main(typed: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the pairs")
    parser.add_argument("--ours", type=Path, metavar="DIR")
    parser.add_argument("--theirs", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="of order and sides; default: 0")
    parser.add_argument("--answers", type=Path, metavar="FILE")
    chosen = parser.parse_args(typed)
    if bool(chosen.ours) != bool(chosen.theirs) or bool(chosen.ours) == bool(chosen.answers):
        parser.error("either --ours and --theirs, or --answers")
    try:
        if chosen.answers:
            print(json.dumps(tally(chosen.folder, read_answers(chosen.answers))))
        else:
            number = make(chosen.folder, chosen.ours, chosen.theirs, chosen.seed)
            print(f"{number} pairs in {chosen.folder}; the key is {key_file(chosen.folder)}")
    except UserError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
