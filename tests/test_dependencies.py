"""What a device installs: pinned, of known licences, consistent, and without known holes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wakeword.spec import read_toml

ROOT = Path(__file__).parents[1]
DEVICE_EXTRAS = ("mqtt", "gpio", "wyoming", "update", "dashboard")
PERMISSIVE = ("0BSD", "APACHE", "BSD", "CC0", "MIT", "PSF", "ZLIB")
# May stand beside any program, but are not permissive; both are installed as they come, unchanged.
OTHERS = {
    "soxr": "LGPL",  # a library of its own that a user may replace
    "tqdm": "MPL",  # comes with ai-edge-litert; changed files would have to stay open
}
NEEDS_A_BOARD = {"lgpio"}  # has wheels for aarch64 only
UNREACHABLE = ("ConnectionError", "Max retries", "ServiceError", "Failed to connect", "timed out")


def device_packages() -> set[str]:
    """Everything that the base install and the device's extras pull in here."""
    project = read_toml(ROOT / "pyproject.toml")["project"]
    wanted = list(project["dependencies"])
    for extra in DEVICE_EXTRAS:
        wanted += project["optional-dependencies"][extra]
    found: set[str] = set()
    while wanted:
        one = Requirement(wanted.pop())
        name = canonicalize_name(one.name)
        if name in found or name in NEEDS_A_BOARD:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            found.add(name)
            wanted += metadata.requires(name) or []
    return found


def pinned() -> dict[str, set[str]]:
    """Versions of each name in constraints.txt."""
    rows: dict[str, set[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = re.fullmatch(r"([\w.-]+)==([^; ]+).*", line).groups()  # type: ignore[union-attr]
            rows.setdefault(canonicalize_name(name), set()).add(version)
    return rows


@pytest.fixture(scope="module")
def packages() -> set[str]:
    return device_packages()


def test_every_package_of_a_device_is_pinned_to_what_is_tested(packages: set[str]) -> None:
    pins = pinned()
    assert {"numpy", "ai-edge-litert", "paho-mqtt", "cryptography"} <= packages
    for name in packages:
        assert metadata.version(name) in pins.get(name, set()), f"{name} is not in constraints.txt"


def test_every_package_of_a_device_has_a_known_licence(packages: set[str]) -> None:
    for name in packages:
        about = metadata.metadata(name)
        texts = [about.get("License-Expression") or about.get("License") or ""]
        texts += [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
        licence = " ".join(texts).upper()
        allowed = (*PERMISSIVE, OTHERS.get(name, "0BSD"))
        assert any(one in licence for one in allowed), f"{name}: {texts}"
        copyleft = re.search(r"\b(A|L)?GPL|GENERAL PUBLIC", licence)
        assert not copyleft or name in OTHERS, f"{name}: {texts}"


def test_the_installed_packages_fit_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_package_of_a_device_has_a_known_hole(packages: set[str], tmp_path: Path) -> None:
    program = shutil.which("pip-audit", path=f"{Path(sys.executable).parent}:/usr/bin:/bin")
    if program is None:
        pytest.skip("needs pip-audit: pip install pip-audit")
    listed = tmp_path / "requirements.txt"
    listed.write_text("".join(f"{n}=={metadata.version(n)}\n" for n in sorted(packages)))
    words = [program, "-r", str(listed), "--no-deps", "--disable-pip", "--timeout", "10"]
    done = subprocess.run(
        [*words, "--progress-spinner", "off"], capture_output=True, text=True, timeout=300
    )
    if any(text in done.stderr for text in UNREACHABLE):
        pytest.skip("the service that knows the holes cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
