"""Speech engines that tests need, and how to get them."""

from __future__ import annotations

import pytest

from data_tools.engines import ENGINES

DEBIAN = {
    "espeak-ng": "espeak-ng",
    "flite": "flite",
    "festival": "festival festvox-kallpc16k",
    "festival-abroad": "festival festvox-kallpc16k festvox-czech-dita festvox-suopuhe-mv",
    # of its components contrib and non-free, so not in tests/system-packages.txt
    "mbrola": "mbrola mbrola-us1 mbrola-de5",
    "pico": "libttspico-utils",
    "rhvoice": "rhvoice rhvoice-english rhvoice-polish",
}
PHRASE = "Robert turn on"


def need(*names: str) -> None:
    for name in names:
        if not (ENGINES[name]().installed() and ENGINES[name]().voices("en")):
            pytest.skip(f"{name} is not installed (on Debian: apt install {DEBIAN[name]})")
