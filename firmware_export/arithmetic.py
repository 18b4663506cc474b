"""Operators as arithmetic: functions of one value as tables, scalings and paddings of products."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_export import fixed_point
from firmware_export.errors import ExportError
from firmware_export.fixed_point import ALL_INT8, AddScales, MulScales
from firmware_export.graph import Graph, Op, Tensor
from firmware_export.program import Scaling

Array = npt.NDArray[Any]


def unary(op: Op, graph: Graph) -> tuple[int, Array] | None:
    """(tensor, its 256 results from -128 up) when the operator is a function of one int8."""
    given, out = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.name == "LOGISTIC":
        return given.index, fixed_point.logistic(given, out)(ALL_INT8)
    if op.name == "QUANTIZE":
        return given.index, fixed_point.requantize(given, out)(ALL_INT8)
    if op.name not in ("ADD", "MUL"):
        return None
    a, b = given, graph.tensors[op.inputs[1]]
    single = [t.data is not None and t.size == 1 for t in (a, b)]
    if not any(single):
        return None
    values = [ALL_INT8 if t.data is None else t.data.astype(np.int64).ravel() for t in (a, b)]
    activation = int(op.options["fusedActivationFunction"])
    if op.name == "ADD":
        table = fixed_point.add(*values, AddScales(a, b, out, activation))
    else:
        table = fixed_point.multiply(*values, MulScales(a, b, out, activation))
    return (b if single[0] else a).index, np.broadcast_to(table, 256)


def scaling(op: Op, given: Tensor, filter_: Tensor, out: Tensor) -> Scaling:
    """From a product's int32 sums to its int8 output. Raises ExportError for absurd scales."""
    if op.name == "FULLY_CONNECTED" and len(filter_.scales) == 1:
        # here TFLite multiplies the two scales in float32, for convolutions in float64
        together = np.float32(given.scale) * filter_.scales
        reals = together.astype(np.float64) / np.float64(out.scale)
    else:
        reals = given.scale * filter_.scales.astype(np.float64) / out.scale
    low, high = fixed_point.activation_range(int(op.options["fusedActivationFunction"]), out)
    scales = [fixed_point.multiplier(float(real)) for real in reals]
    if any(exponent > 7 for _, exponent in scales):
        raise ExportError(f"{op.name}: scales so far apart that int32 would overflow")
    return Scaling(scales, out.zero_point, low, high, op.name == "FULLY_CONNECTED")


def mean_scaling(given: Tensor, out: Tensor, count: int) -> Scaling:
    """From the sum of ``count`` values to their mean, as TFLite divides in its multiplier."""
    if (given.scale, given.zero_point) == (out.scale, out.zero_point):
        raise ExportError("MEAN: this version writes no C for an output of its input's scale")
    whole, exponent = fixed_point.multiplier(given.scale / out.scale)
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    low, high = fixed_point.activation_range(0, out)
    return Scaling(
        [((whole << shift) // count, exponent - shift)], out.zero_point, low, high, False
    )


def same_pads(
    op: Op, shape: tuple[int, ...], window: tuple[int, ...], *dilations: str | None
) -> Array:
    """(4, 2) zeros before and after each axis, as TFLite's SAME padding puts them."""
    pads = np.zeros((4, 2), np.int64)
    if int(op.options["padding"]) == 1:  # VALID
        return pads
    for axis, (option, dilation) in enumerate(
        zip(("strideH", "strideW"), dilations, strict=True), start=1
    ):
        stride = int(op.options[option])
        spread = (window[axis - 1] - 1) * (int(op.options[dilation]) if dilation else 1) + 1
        wanted = -(-shape[axis] // stride)
        total = max(0, (wanted - 1) * stride + spread - shape[axis])
        pads[axis] = total // 2, total - total // 2
    return pads
