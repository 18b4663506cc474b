"""What C has to run: the steps of a network in order, and where every value lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firmware_export.fixed_point import AddScales, MulScales

Array = npt.NDArray[Any]

TOGETHER = 8  # outputs of a dense product whose sums grow side by side


class Ref(NamedTuple):
    """A place: ``base`` is "arena:3" (a tensor), "state:NAME", "frames", "out" or "const:3"."""

    base: str
    at: int = 0  # values from its start


@dataclass(frozen=True)
class Copy:
    """``count`` blocks of ``block`` bytes, ``to_step`` and ``from_step`` apart."""

    to: Ref
    source: Ref
    block: int
    count: int = 1
    to_step: int = 0
    from_step: int = 0


@dataclass(frozen=True)
class Fill:
    """``size`` bytes of one value."""

    to: Ref
    size: int
    value: int


@dataclass(frozen=True)
class Table:
    """to[i] = table[source[i]], the table indexed by the byte."""

    to: Ref
    source: Ref
    size: int
    table: Array  # (256,) int8 or uint8


@dataclass(frozen=True)
class Elementwise:
    """ADD or MUL of two tensors of equal shape."""

    kind: str
    to: Ref
    a: Ref
    b: Ref
    size: int
    scales: AddScales | MulScales


@dataclass(frozen=True)
class Scaling:
    """From an int32 sum to int8: one multiplier a channel, or one for all.

    ``once``: rounded once, not after the product and again after the shift.
    """

    scales: list[tuple[int, int]]
    zero: int
    low: int
    high: int
    once: bool


@dataclass(frozen=True)
class Product:
    """CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED over windows that lie wholly in the input.

    A window is ``rows`` runs of ``row_size`` values, ``row_step`` apart. ``depth`` is 0, or for a
    depthwise product the number of input channels.
    """

    kind: str
    to: Ref
    source: Ref
    weights: Array  # (outputs, rows * row_size) int8, depthwise (taps, outputs)
    bias: Array  # (outputs,) int32, the input's zero point folded in
    rows: int
    row_size: int
    row_step: int
    down: int  # windows downwards, and the values between two
    down_step: int
    across: int
    across_step: int
    depth: int
    scaling: Scaling
    wide: Ref | None = None  # dense: room for a window in int16
    widened: bool = False  # an earlier product left it there

    @property
    def taps(self) -> int:
        """Values of a window of a dense product, up to a multiple of 8."""
        return -(-self.rows * self.row_size // 8) * 8

    def pairs(self) -> Array:
        """(outputs / 8, taps / 2, 4) uint32: a dense product's weights, two outputs a half-word.

        A half holds 256 * a + b: what ``ww_kernels.c`` multiplies by. Little end first.
        """
        blocks = -(-len(self.weights) // TOGETHER)
        padded = np.zeros((TOGETHER * blocks, self.taps), np.int32)
        padded[: len(self.weights), : self.weights.shape[1]] = self.weights
        by_pair = padded.reshape(
            blocks, TOGETHER // 2, 2, self.taps // 2, 2
        )  # block, pair, output, taps
        halves = 256 * by_pair[:, :, 0] + by_pair[:, :, 1]
        words = (halves[..., 0] & 0xFFFF) | (halves[..., 1] & 0xFFFF) << 16
        return words.transpose(0, 2, 1).astype(np.uint32)


@dataclass(frozen=True)
class Pool:
    """AVERAGE_POOL_2D or MAX_POOL_2D."""

    kind: str
    to: Ref
    source: Ref
    height: int
    width: int
    depth: int
    window: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    out_size: tuple[int, int]
    low: int
    high: int


Step = Copy | Fill | Table | Elementwise | Product | Pool


@dataclass(frozen=True)
class Program:
    """The steps in order, the bytes of every base, and the constants that steps read as tensors."""

    steps: list[Step]
    arena: dict[str, int]  # byte offset of each "arena:..." base
    arena_bytes: int
    state: dict[str, int]  # byte offset of each variable
    start: dict[str, Array]  # what each variable holds after a reset
    state_bytes: int
    constants: dict[str, Array]
    out_bytes: int
    macs: list[tuple[str, int]]  # multiply-accumulates of each product, by the operator's name


def aligned(size: int) -> int:
    """Bytes rounded up to whole words."""
    return (size + 3) & ~3


def place(steps: list[Step], sizes: dict[str, int]) -> tuple[dict[str, int], int]:
    """Byte offsets in one arena for values that share it when they live at different times."""
    lives: dict[str, list[int]] = {}
    for number, step in enumerate(steps):
        for value in vars(step).values():
            if isinstance(value, Ref) and value.base in sizes:
                lives.setdefault(value.base, [number, number])[1] = number
    placed: dict[str, int] = {}
    # largest first, each at the lowest place that is free during its life
    for base in sorted(lives, key=lambda b: (-sizes[b], b)):
        first, last = lives[base]
        taken = sorted(
            (placed[o], placed[o] + aligned(sizes[o]))
            for o in placed
            if lives[o][0] <= last and first <= lives[o][1]
        )
        at = 0
        for start, end in taken:
            if at + aligned(sizes[base]) <= start:
                break
            at = max(at, end)
        placed[base] = at
    return placed, max((placed[b] + aligned(sizes[b]) for b in placed), default=0)
