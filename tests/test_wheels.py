"""Every pinned package of the base install has a ready-made wheel for a 64-bit Raspberry Pi."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

from wakeword.spec import read_toml

ROOT = Path(__file__).parents[1]
PROJECT = read_toml(ROOT / "pyproject.toml")["project"]


def resolved(requirements: list[str], python: str, machine: str, folder: Path, *more: str) -> dict:
    """Names and versions that pip would install there from wheels alone."""
    platforms = [f"manylinux_2_{n}_{machine}" for n in range(17, 37)] + [f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
               "--only-binary=:all:", "--python-version", python, "--implementation", "cp",
               "--report", str(folder / "report.json"), "--target", str(folder / "target"), *more,
               *(x for p in platforms for x in ("--platform", p)), *requirements]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and (
        "connection" in done.stderr.lower() or "NewConnectionError" in done.stderr
    ):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text())
    return {i["metadata"]["name"].lower(): i["metadata"]["version"] for i in report["install"]}


def pinned(python: str, folder: Path) -> str:
    """Constraints for that Python; pip would judge the markers by the one that runs it."""
    rows = []
    for row in (ROOT / "constraints.txt").read_text().splitlines():
        requirement, _, marker = row.partition(";")
        if not marker or Marker(marker.strip()).evaluate({"python_version": python}):
            rows.append(requirement)
    (folder / "constraints.txt").write_text("\n".join(rows))
    return str(folder / "constraints.txt")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_base_install_has_aarch64_wheels(tmp_path, python):
    wanted = [r.partition(";")[0] for r in PROJECT["dependencies"]]
    pins = ("--constraint", pinned(python, tmp_path))
    names = resolved(wanted, python, "aarch64", tmp_path, *pins)
    assert {"numpy", "pymicro-features", "webrtcvad-wheels", "ai-edge-litert"} <= set(names)
    assert not {"tensorflow", "keras", "librosa", "scipy"} & set(names)


def test_the_small_runtime_has_aarch64_wheels_for_python_3_11(tmp_path):
    requirements = [r.partition(";")[0] for r in PROJECT["optional-dependencies"]["tflite"]]
    names = resolved(requirements, "3.11", "aarch64", tmp_path)
    assert names["tflite-runtime"] == "2.14.0" and names["numpy"].startswith("1.")
