"""The check of the dependencies: what it makes of pip-audit's answers."""

import subprocess
from types import ModuleType

import pytest
from infer_command import ROOT

GOOD = '{"name": "good", "version": "1", "vulns": []}'
BAD = '{"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}'
UNKNOWN = '{"name": "unknown", "skip_reason": "not found"}'


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import audit

    monkeypatch.setattr(audit, "installed", lambda: "good==1\n")
    return audit


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (f"[{GOOD}, {UNKNOWN}]", 0, "1 of 2 packages looked up, 0 known vulnerabilities"),
        (f"[{GOOD}, {BAD}]", 1, "2 of 2 packages looked up, 1 known vulnerabilities \n  bad 2: CVE-1, fixed in 2.1"),
        (f"[{UNKNOWN}]", 0, "NOT CHECKED, its database cannot be reached (it knows none of the packages)"),
        ("", 0, "NOT CHECKED, its database cannot be reached (no route)"),
    ],
)
def test_holes_fail_and_a_missing_network_does_not(
    audit: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    code: int,
    said: str,
) -> None:
    out = f'{{"dependencies": {answer}}}' if answer else ""
    done = subprocess.CompletedProcess([], 1, out, "warning\nno route\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert audit.main() == code
    assert said in capsys.readouterr().out


def test_a_builds_mark_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import audit

    frozen = "torch==2.15.0+cpu\npillow==12.0\nmine @ file:///somewhere\n"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, frozen, ""))
    assert audit.installed() == "torch==2.15.0\npillow==12.0\n"
