"""Secrets: from a file that only its owner can read, or from the environment; nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wakeword.errors import WakewordError


def read_secret(source: str) -> str:
    """The secret that ``source`` names: ``env:NAME``, or the path of a file.

    Raises WakewordError when it is missing or empty, or when others can read the file.
    """
    if source.startswith("env:"):
        secret = os.environ.get(source[4:], "")
        if not secret:
            raise WakewordError(f"secret {source}: the environment has no {source[4:]}")
        return secret
    path = Path(source).expanduser()
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WakewordError(f"secret {path}: cannot be read ({error})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WakewordError(f"secret {path}: others can read it; chmod 600 {path}")
    if not secret:
        raise WakewordError(f"secret {path}: the file is empty")
    return secret
