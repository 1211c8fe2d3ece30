"""The files in `deploy/`, which cannot be used everywhere: order of steps, and where temporary files go."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from stylenet.serve.settings import ServiceSettings

ROOT = Path(__file__).parents[2]


def test_every_folder_of_a_package_is_copied_before_the_install() -> None:
    steps = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    install = next(number for number, step in enumerate(steps) if " -e '.[" in step)
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"].values()
    assert {f"COPY {folder} {folder}" for folder in folders} <= set(steps[:install])


def test_the_build_is_sent_what_the_dockerfile_copies_and_nothing_else() -> None:
    ignored, *rest = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()[1:]
    copies = re.findall(r"^COPY (.+) \S+$", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    assert ignored == "*"
    assert {line[1:] for line in rest if line[0] == "!"} == set(" ".join(copies).split())
    assert {line for line in rest if line[0] != "!"} == {"stylenet/web/built", "**/__pycache__"}


def test_a_pod_is_given_time_to_leave_its_service_and_to_drain() -> None:
    pod = pod_of(ROOT / "deploy/kubernetes.yaml")
    (container,) = pod["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause + ServiceSettings().drain_seconds
    assert {container[f"{kind}Probe"]["timeoutSeconds"] for kind in ("startup", "liveness", "readiness")} == {5}


def test_temporary_files_are_on_a_disk_though_the_root_is_read_only() -> None:
    (place,) = re.findall(r"TMPDIR=(\S+)", (ROOT / "deploy/Dockerfile").read_text())
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    service = compose["services"]["stylenet"]
    assert service["read_only"]
    assert place in [mount.split(":")[1] for mount in service["volumes"] if mount.split(":")[0] in compose["volumes"]]
    pod = pod_of(ROOT / "deploy/kubernetes.yaml")
    container, volumes = pod["containers"][0], {volume["name"]: volume for volume in pod["volumes"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == place]
    assert volumes[mount["name"]]["emptyDir"].get("medium", "") == ""  # not memory


def pod_of(manifest: Path) -> dict[str, Any]:
    deployment = next(yaml.safe_load_all(manifest.read_text()))
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def test_two_workers_and_the_memory_of_temporary_files_fit_into_the_limit() -> None:
    service = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["stylenet"]
    workers, front = int(service["environment"]["STYLENET_SERVE_WORKERS"]) * 1.5, 0.8
    tmpfs = sum(gigabytes(mount.partition("size=")[2]) for mount in service["tmpfs"])
    assert workers + front + tmpfs <= gigabytes(service["mem_limit"])


def gigabytes(size: str) -> float:
    return float(int(size[:-1]) * {"m": 2**20, "g": 2**30}[size[-1]] / 1e9)
