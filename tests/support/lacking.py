"""A Python in which packages are missing: a folder for `PYTHONPATH`, whose module every Python imports first."""

from pathlib import Path

COMMAND_LINE = ("hydra", "omegaconf", "antlr4", "wandb", "datasets", "av")
BLOCKER = """
import importlib.metadata as metadata
import sys

LACKING = {names!r}


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


known = metadata.version


def version(name):
    if name.split("-")[0] in LACKING:
        raise metadata.PackageNotFoundError(name)
    return known(name)


sys.meta_path.insert(0, Missing())
metadata.version = version
"""


def without(folder: Path, names: tuple[str, ...] = COMMAND_LINE) -> str:
    """Writes the module into `folder`, which it returns for `PYTHONPATH`."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(BLOCKER.format(names=names))
    return str(folder)
