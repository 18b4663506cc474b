"""Modules of this package run in a process of their own."""

from __future__ import annotations

import os
import sys

CWD = "/"  # never import from the folder that we happen to be in


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """The words that run the module; start them in :data:`CWD` with :func:`environment`."""
    return (sys.executable, "-m", module, *arguments)


def environment() -> dict[str, str]:
    """Our environment, and the same modules to import."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
