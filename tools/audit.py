#!/usr/bin/env python3
"""Asks pip-audit for known vulnerabilities of the packages that are installed: `python tools/audit.py`.

The exit code is 1 where there are some. Where pip-audit cannot reach its data, that is said, and is no failure.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PATIENCE = 600  # seconds for the whole


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "installed.txt"
        requirements.write_text(installed())
        packages, trouble = audited(requirements)
    found = holes(packages)
    known = sum("vulns" in package for package in packages)
    if known:
        print(f"pip-audit: {known} of {len(packages)} packages looked up, {len(found)} known vulnerabilities", *found)
    else:
        print(f"pip-audit: NOT CHECKED, its data is out of reach ({trouble or 'it knows none of the packages'})")
    return 1 if found else 0


def installed() -> str:
    """`name==version`, line by line, without the mark of a build: 2.15.0+cpu is known as 2.15.0."""
    command = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    frozen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "".join(f"{line.partition('+')[0]}\n" for line in frozen.splitlines() if "==" in line)


def audited(requirements: Path) -> tuple[list[dict[str, Any]], str]:
    """pip-audit's result for each package; nothing, and the reason, where it has none."""
    options = "--disable-pip --no-deps --format json --progress-spinner off --timeout 15 --requirement"
    command = [sys.executable, "-m", "pip_audit", *options.split(), str(requirements)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        return json.loads(done.stdout)["dependencies"], ""
    except subprocess.TimeoutExpired:
        return [], f"no answer in {PATIENCE} seconds"
    except (ValueError, KeyError):
        return [], (done.stderr.strip().splitlines() or ["it says nothing"])[-1]


def holes(packages: list[dict[str, Any]]) -> list[str]:
    """A line for each known vulnerability."""
    lines = []
    for package in packages:
        for hole in package.get("vulns", []):
            mended = ", ".join(hole["fix_versions"]) or "no version yet"
            lines.append(f"\n  {package['name']} {package['version']}: {hole['id']}, mended in {mended}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
