"""What a wheel holds: every package, and the configs, paintings and networks beside it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_every_package_is_in_the_wheel() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "stylenet").rglob("__init__.py")}
    assert set(SETUPTOOLS["packages"]) == found | {"stylenet.configs", "stylenet.checkpoints"}


def test_every_config_painting_and_network_is_in_the_wheel() -> None:
    for folder, suffixes in {"configs": {".yaml", ".jpg"}, "checkpoints": {".safetensors"}}.items():
        patterns = SETUPTOOLS["package-data"][f"stylenet.{folder}"]
        packed = {path for pattern in patterns for path in (ROOT / folder).glob(pattern)}
        assert packed == {path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes}
