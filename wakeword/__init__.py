"""The device: microphone or file -> gate -> front end -> model -> decision -> action.

The objects, in the order audio meets them::

    Microphone   sounddevice stream -> blocks of 16 kHz mono int16     wakeword.microphone
    VadGate      which audio is worth the network's time               wakeword.gate
    FrontEnd     audio -> 40 log-mel-like channels every 10 ms         wakeword.frontend
    StreamingModel  frames -> probability, state inside the model      wakeword.model
    Decision     smoothing, threshold, refractory -> Detection         wakeword.decision
    Detector     all of it: ``push(block) -> list[Detection]``         wakeword.detector
    Bundle       NAME.json + NAME.tflite, checked against each other   wakeword.bundle

``Detector``, ``Detection`` and ``Bundle`` can be imported from here; they are loaded on first use,
so that ``import wakeword`` costs nothing on a small board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wakeword.bundle import Bundle
    from wakeword.decision import Detection
    from wakeword.detector import Detector

__version__ = "0.1.0"
__all__ = ["Bundle", "Detection", "Detector", "__version__"]

_HOMES = {
    "Bundle": "wakeword.bundle",
    "Detection": "wakeword.decision",
    "Detector": "wakeword.detector",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'wakeword' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
