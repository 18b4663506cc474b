"""Operators that only move bytes: which places of which tensors make up their outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_export.errors import ExportError
from firmware_export.graph import Graph, Op, Tensor

Array = npt.NDArray[Any]

# For one output: tensors and indices into them, in the order of the output's values.
IndexMap = list[tuple[int, Array]]


@dataclass(frozen=True)
class Run:
    """``count`` blocks of ``block`` neighbours; the first at ``at``, the next ``step`` further."""

    at: int
    block: int
    count: int
    step: int


def runs(indices: Array) -> list[Run]:
    """Indices in order as runs of blocks."""
    flat = indices.ravel()
    if not flat.size:
        return []
    breaks = np.flatnonzero(np.diff(flat) != 1) + 1
    blocks = [Run(int(b[0]), len(b), 1, 0) for b in np.split(flat, breaks)]
    found = [blocks[0]]
    for block in blocks[1:]:
        last = found[-1]
        step = block.at - last.at - last.step * (last.count - 1)
        if block.block == last.block and (last.count == 1 or step == last.step):
            found[-1] = replace(last, count=last.count + 1, step=step)
        else:
            found.append(block)
    return found


def index_maps(op: Op, graph: Graph) -> list[IndexMap]:
    """An index map for each output. Raises ExportError for options that no export handles."""
    return _MAPS[op.name](op, [graph.tensors[i] for i in op.inputs], graph)


def constant(op: Op, number: int, graph: Graph) -> Array:
    """An input that must be a constant."""
    data = graph.tensors[op.inputs[number]].data
    if data is None:
        raise ExportError(f"{op.name}: its input {number} is not a constant")
    return data


def _indices(tensor: Tensor) -> Array:
    return np.arange(tensor.size).reshape(tensor.shape)


def _identity(op: Op, sources: list[Tensor], _: Graph) -> list[IndexMap]:
    return [[(sources[0].index, _indices(sources[0]))]]


def _slice(op: Op, sources: list[Tensor], graph: Graph) -> list[IndexMap]:
    begin, end, strides = (constant(op, i, graph).tolist() for i in (1, 2, 3))
    masks = {k: int(op.options[f"{k}Mask"]) for k in ("begin", "end", "ellipsis", "newAxis")}
    if masks["ellipsis"] or masks["newAxis"]:
        raise ExportError("STRIDED_SLICE: this version writes no C for an ellipsis or a new axis")
    shrink = int(op.options["shrinkAxisMask"])
    parts: list[slice | int] = []
    for axis, (first, stop, stride) in enumerate(zip(begin, end, strides, strict=True)):
        if shrink >> axis & 1:
            parts.append(int(first))
            continue
        parts.append(
            slice(
                None if masks["begin"] >> axis & 1 else int(first),
                None if masks["end"] >> axis & 1 else int(stop),
                int(stride),
            )
        )
    return [[(sources[0].index, _indices(sources[0])[tuple(parts)])]]


def _split(op: Op, sources: list[Tensor], graph: Graph) -> list[IndexMap]:
    sizes, axis = constant(op, 1, graph), int(constant(op, 2, graph).item())
    parts = np.split(_indices(sources[0]), np.cumsum(sizes)[:-1], axis=axis)
    return [[(sources[0].index, part)] for part in parts]


def _concatenate(op: Op, sources: list[Tensor], graph: Graph) -> list[IndexMap]:
    out = graph.tensors[op.outputs[0]]
    if any(s.scale != out.scale or s.zero_point != out.zero_point for s in sources):
        raise ExportError("CONCATENATION: its inputs and output differ in scale or zero point")
    axis = int(op.options["axis"]) % len(out.shape)
    return [_interleaved(sources, int(np.prod(out.shape[:axis])))]


def _pack(op: Op, sources: list[Tensor], graph: Graph) -> list[IndexMap]:
    axis = int(op.options["axis"]) % (len(sources[0].shape) + 1)
    return [_interleaved(sources, int(np.prod(sources[0].shape[:axis])))]


def _interleaved(sources: list[Tensor], leading: int) -> IndexMap:
    """A block of each source in turn, ``leading`` times."""
    blocks = [np.arange(s.size).reshape(leading, -1) for s in sources]
    return [(s.index, b[i]) for i in range(leading) for s, b in zip(sources, blocks, strict=True)]


_MAPS: dict[str, Callable[[Op, list[Tensor], Graph], list[IndexMap]]] = {
    "RESHAPE": _identity,
    "STRIDED_SLICE": _slice,
    "SPLIT_V": _split,
    "CONCATENATION": _concatenate,
    "PACK": _pack,
}
MOVES = frozenset(_MAPS)
