"""TFLite's quantized arithmetic, as its reference kernels do it, in numpy integers.

Sources: tensorflow/lite/kernels/internal (quantization_util, common, reference/integer_ops) and
gemmlowp's fixedpoint.h, Apache-2.0. ``templates/c99/src/ww_kernels.c`` is the same in C.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from firmware_export.graph import Tensor

Ints = npt.NDArray[np.int64]

ALL_INT8 = np.arange(-128, 128, dtype=np.int64)


def multiplier(real: float) -> tuple[int, int]:
    """A positive real number as an int32 in [2^30, 2^31) and a power of two: real = m 2^(e-31)."""
    if real == 0:
        return 0, 0
    fraction, exponent = math.frexp(real)
    whole = math.floor(fraction * 2**31 + 0.5)
    if whole == 2**31:
        whole, exponent = 2**30, exponent + 1
    return (0, 0) if exponent < -31 else (whole, exponent)


def rescale(x: Ints, scale: tuple[int, int]) -> Ints:
    """x times the multiplier, rounded after the product and again after the shift (gemmlowp)."""
    whole, exponent = scale
    # gemmlowp's nudge by sign and division towards zero come to this: halves go up
    high = ((x << max(exponent, 0)) * whole + (1 << 30)) >> 31
    right = max(-exponent, 0)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def rescale_once(x: Ints, scale: tuple[int, int]) -> Ints:
    """x times the multiplier, rounded once, halves up: what FULLY_CONNECTED does (ruy)."""
    whole, exponent = scale
    return (x * whole + (1 << (30 - exponent))) >> (31 - exponent)


def activation_range(activation: int, out: Tensor) -> tuple[int, int]:
    """Lowest and highest int8 that a fused activation lets through."""
    low, high = (0, 255) if out.dtype == "uint8" else (-128, 127)

    def quantized(value: float) -> int:
        whole = np.floor(np.float32(value) / np.float32(out.scale) + np.float32(0.5))
        return out.zero_point + int(whole)

    # TFLite's ActivationFunctionType: none, relu, relu_n1_to_1, relu6
    if activation == 1:
        return max(low, quantized(0)), high
    if activation == 2:
        return max(low, quantized(-1)), min(high, quantized(1))
    if activation == 3:
        return max(low, quantized(0)), min(high, quantized(6))
    if activation != 0:
        raise ValueError(f"fused activation {activation}")
    return low, high


def add(a: Ints, b: Ints, scales: AddScales) -> Ints:
    """The sum of two quantized tensors, quantized."""
    total = rescale((a - scales.zero_a) << 20, scales.a) + rescale(
        (b - scales.zero_b) << 20, scales.b
    )
    return np.clip(rescale(total, scales.out) + scales.zero, scales.low, scales.high)


def multiply(a: Ints, b: Ints, scales: MulScales) -> Ints:
    """The product of two quantized tensors, quantized."""
    product = rescale((a - scales.zero_a) * (b - scales.zero_b), scales.out)
    return np.clip(product + scales.zero, scales.low, scales.high)


class AddScales:
    """What ADD needs: both inputs are brought to 2^-20 of twice the larger scale."""

    def __init__(self, a: Tensor, b: Tensor, out: Tensor, activation: int):
        twice = 2 * max(a.scale, b.scale)
        self.a, self.b = multiplier(a.scale / twice), multiplier(b.scale / twice)
        self.out = multiplier(twice / ((1 << 20) * out.scale))
        self.zero_a, self.zero_b, self.zero = a.zero_point, b.zero_point, out.zero_point
        self.low, self.high = activation_range(activation, out)


class MulScales:
    """What MUL needs; TFLite multiplies and divides its scales in float32."""

    def __init__(self, a: Tensor, b: Tensor, out: Tensor, activation: int):
        real = np.float32(a.scale) * np.float32(b.scale) / np.float32(out.scale)
        self.out = multiplier(float(real))
        self.zero_a, self.zero_b, self.zero = a.zero_point, b.zero_point, out.zero_point
        self.low, self.high = activation_range(activation, out)


def logistic(given: Tensor, out: Tensor) -> Callable[[Ints], Ints]:
    """1 / (1 + exp(-x)) by way of float32, as TFLite fills its table."""

    def of(x: Ints) -> Ints:
        real = np.float32(given.scale) * (x - given.zero_point).astype(np.float32)
        with np.errstate(over="ignore"):  # 1 / infinity is the 0 that is meant
            power = np.exp(-real.astype(np.float64)).astype(np.float32)
        share = np.float32(1) / (np.float32(1) + power)
        whole = np.floor((share * (np.float32(1) / np.float32(out.scale))).astype("f8") + 0.5)
        return np.clip(whole.astype(np.int64) + out.zero_point, -128, 127)

    return of


def requantize(given: Tensor, out: Tensor) -> Callable[[Ints], Ints]:
    """The same real value under another scale and zero point (QUANTIZE)."""
    scale = multiplier(given.scale / out.scale)
    low, high = activation_range(0, out)

    def of(x: Ints) -> Ints:
        return np.clip(rescale(x - given.zero_point, scale) + out.zero_point, low, high)

    return of
