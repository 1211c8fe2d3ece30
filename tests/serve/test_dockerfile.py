"""The order of steps in `deploy/Dockerfile`, which cannot be built everywhere."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_folder_of_a_package_is_copied_before_the_install() -> None:
    steps = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    install = next(number for number, step in enumerate(steps) if " -e '.[" in step)
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"].values()
    assert {f"COPY {folder} {folder}" for folder in folders} <= set(steps[:install])
