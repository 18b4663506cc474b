"""The arrows between the packages, and what the device may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "wakeword": {"wakeword"},
    "data_tools": {"data_tools", "wakeword"},
    "training": {"training", "data_tools", "wakeword"},
    "firmware_export": {"firmware_export", "wakeword"},
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            found.add(str(node.args[0].value).split(".")[0])
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_arrow_points_backwards(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        wrong = _imports(path) & (set(MAY_IMPORT) - MAY_IMPORT[package])
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def _modules_after(code: str) -> set[str]:
    code += "\nimport sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


HEAVY = {"tensorflow", "keras", "librosa", "scipy", "numba", "sklearn", "jax", "torch", "ray"}


def test_a_working_detector_pulls_in_nothing_heavy():
    modules = _modules_after(
        "import numpy, wakeword\n"
        "d = wakeword.Detector.load('robert_turn_on')\n"
        "d.push(numpy.zeros(16000, numpy.int16))"
    )
    assert not modules & (HEAVY | {"data_tools", "training", "firmware_export", "sounddevice"})


def test_importing_wakeword_does_no_work():
    modules = _modules_after("import wakeword, wakeword.cli")
    assert not modules & (HEAVY | {"numpy", "ai_edge_litert", "soundfile", "sounddevice"})


@pytest.mark.parametrize("noun", ["data_tools", "training", "firmware_export"])
def test_help_of_a_workstation_command_imports_nothing_heavy(noun):
    assert not _modules_after(f"import {noun}.cli") & HEAVY
