"""Where downloaded corpora are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``WAKEWORD_CACHE``, or ``wakeword`` in the user's cache folder."""
    if "WAKEWORD_CACHE" in os.environ:
        return Path(os.environ["WAKEWORD_CACHE"])
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "wakeword"
