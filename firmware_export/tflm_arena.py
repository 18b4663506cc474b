"""The tensor arena that TensorFlow Lite Micro needs, measured with its own x86 build."""

from __future__ import annotations

import subprocess
import sys

from firmware_export.errors import ExportError

MARGIN = 1.25  # kernels of other builds (ESP-NN, CMSIS-NN) take scratch room that x86 does not
TOOL = "tflite-micro"

# In processes of their own: TFLM tells of a too small arena on standard error from C++, and at some
# sizes ends the process.
_SEARCH = """
import os, sys
from tflite_micro import runtime
model = sys.stdin.buffer.read()

def fits(size):
    child = os.fork()
    if not child:
        try:
            runtime.Interpreter.from_bytes(model, arena_size=size).invoke()
            os._exit(0)
        except RuntimeError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0

low, high = 0, 1 << 20
while high - low > 16:
    middle = (low + high) // 2
    low, high = (low, middle) if fits(middle) else (middle, high)
if not fits(high):
    sys.exit("not even in 1 MB")
print(high)
"""


def available() -> bool:
    """Whether the measuring tool is installed."""
    from importlib.util import find_spec

    return find_spec("tflite_micro") is not None


def measure(model: bytes, name: str) -> int:
    """Bytes of the smallest arena in which the model runs, to 16. Raises ExportError."""
    done = subprocess.run([sys.executable, "-c", _SEARCH], input=model, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ExportError(f"{name}: TensorFlow Lite Micro refuses it ({said[-1] if said else '?'})")
    return int(done.stdout)


def with_margin(measured: int) -> int:
    """What to reserve: a quarter more, to whole kilobytes."""
    return -(-int(measured * MARGIN) // 1024) * 1024
