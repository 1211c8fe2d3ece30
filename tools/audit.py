#!/usr/bin/env python3
"""Asks pip-audit for known vulnerabilities of the packages that are installed: `python tools/audit.py`.

Exit code 1 if any is found. Where pip-audit cannot reach its database, a line says so and the exit code is 0.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PATIENCE = 600  # seconds for all packages together


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "installed.txt"
        requirements.write_text(installed())
        packages, trouble = audited(requirements)
    found = vulnerabilities(packages)
    known = sum("vulns" in package for package in packages)
    if known:
        print(f"pip-audit: {known} of {len(packages)} packages looked up, {len(found)} known vulnerabilities", *found)
    else:
        print(f"pip-audit: NOT CHECKED, its database cannot be reached ({trouble or 'it knows none of the packages'})")
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
        return [], (done.stderr.strip().splitlines() or ["no error message"])[-1]


def vulnerabilities(packages: list[dict[str, Any]]) -> list[str]:
    """A line for each known vulnerability."""
    lines = []
    for package in packages:
        for entry in package.get("vulns", []):
            fixed = ", ".join(entry["fix_versions"]) or "no version yet"
            lines.append(f"\n  {package['name']} {package['version']}: {entry['id']}, fixed in {fixed}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
