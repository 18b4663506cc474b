"""A graph as a short program.

Three rules make it short. Whatever only moves bytes (RESHAPE, STRIDED_SLICE, SPLIT_V,
CONCATENATION, PACK, PAD, READ_VARIABLE, ASSIGN_VARIABLE) becomes copies of blocks, or nothing at
all where a view will do. Every function of one int8 (LOGISTIC, QUANTIZE, ADD and MUL with a
constant) becomes a table of 256 bytes, and a chain of them one table. The input's zero point is
folded into the bias of a product.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_export import fixed_point
from firmware_export.arithmetic import mean_scaling, same_pads, scaling, unary
from firmware_export.errors import ExportError
from firmware_export.fixed_point import AddScales, MulScales
from firmware_export.graph import DAMAGE, Graph, Op, Tensor, damaged
from firmware_export.moves import MOVES, IndexMap, constant, index_maps, runs
from firmware_export.program import (
    Copy,
    Elementwise,
    Fill,
    Pool,
    Product,
    Program,
    Ref,
    Step,
    Table,
    place,
)
from firmware_export.values import Values

Array = npt.NDArray[Any]


def compile_graph(graph: Graph, name: str) -> Program:
    """Lower a checked graph. Raises ExportError naming ``name`` for what no step can do."""
    try:
        first = _Lowering(graph, set())
        # A variable that is overwritten before the last look at its old value is copied when read.
        lowering = (
            first if not first.values.late_reads else _Lowering(graph, first.values.late_reads)
        )
        return lowering.program()
    except ExportError as error:
        raise ExportError(f"{name}: {error}") from None
    except DAMAGE as error:
        raise damaged(name, error) from None


class _Lowering:
    def __init__(self, graph: Graph, copied_reads: set[str]):
        self.graph = graph
        self.copied_reads = copied_reads
        self.values = Values(graph)
        self.steps: list[Step] = []
        self.pending: dict[int, tuple[int, Array]] = {}  # a table not run yet: (source, table)
        self.wide: dict[int, Ref] = {}  # tensors that were widened as one window
        self.macs: list[tuple[str, int]] = []
        self.readers: dict[int, list[Op]] = {}
        for op in graph.ops:
            for tensor in op.inputs:
                self.readers.setdefault(tensor, []).append(op)
        for number, op in enumerate(graph.ops):
            self.number = number
            self._lower(op)
        for offset, tensor in self.values.out:
            if self.values.refs[tensor.index] != Ref("out", offset):
                source = self.values.ref(tensor.index)
                self.steps.append(Copy(Ref("out", offset), source, tensor.size))

    def program(self) -> Program:
        values = self.values
        arena, arena_bytes = place(self.steps, values.sizes)
        return Program(
            self.steps, arena, arena_bytes, values.state, self.graph.variables, values.state_bytes,
            values.constants, values.out_bytes, self.macs,
        )  # fmt: skip

    def _lower(self, op: Op) -> None:
        if op.name in ("CALL_ONCE", "VAR_HANDLE"):
            return
        if op.name == "READ_VARIABLE":
            self._read(op)
        elif op.name == "ASSIGN_VARIABLE":
            variable = self.graph.variable(op)
            source = self.values.tensor(op.inputs[1])
            self.steps.append(
                Copy(Ref(f"state:{variable}"), self.values.ref(source.index), source.size)
            )
            self.values.assigned_at[variable] = self.number
        elif op.name in MOVES:
            for out, index_map in zip(op.outputs, index_maps(op, self.graph), strict=True):
                self._move(out, index_map)
        elif op.name == "PAD":
            self._pad(op)
        elif unary(op, self.graph) is not None:
            self._table(op)
        elif op.name in ("ADD", "MUL"):
            self._elementwise(op)
        elif op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            self._product(op)
        elif op.name == "MEAN":
            self._mean(op)
        elif op.name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            self._pool(op)
        else:
            raise ExportError(f"this version writes no C for {op.name}")

    # ---- moves ----

    def _read(self, op: Op) -> None:
        variable = self.graph.variable(op)
        out = op.outputs[0]
        self.values.refs[out] = Ref(f"state:{variable}")
        if variable in self.copied_reads:
            size = self.values.tensor(out).size
            self.steps.append(Copy(self.values.result(out), Ref(f"state:{variable}"), size))

    def _move(self, out: int, index_map: IndexMap) -> None:
        """Make a tensor of parts of others: a view where one unbroken part will do."""
        parts = [(tensor, run) for tensor, indices in index_map for run in runs(indices)]
        tensor, run = parts[0]
        if run.block == self.values.tensor(out).size and self.values.tensor(tensor).data is None:
            ref = self.values.ref(tensor)
            self.values.refs[out] = Ref(ref.base, ref.at + run.at)
            return
        to, at = self.values.result(out), 0
        for tensor, run in parts:
            source = self.values.ref(tensor)
            self.steps.append(
                Copy(Ref(to.base, to.at + at), Ref(source.base, source.at + run.at),
                     run.block, run.count, run.block, run.step)
            )  # fmt: skip
            at += run.block * run.count

    def _pad(self, op: Op) -> None:
        given, out = self.values.tensor(op.inputs[0]), self.values.tensor(op.outputs[0])
        pads = constant(op, 1, self.graph)
        self._padded(self.values.ref(given.index), given.shape, pads, given.zero_point,
                     self.values.result(out.index))  # fmt: skip

    def _padded(
        self, source: Ref, shape: tuple[int, ...], pads: Array, value: int, to: Ref
    ) -> None:
        """Copy a tensor into the middle of a larger one that is filled with ``value`` around it."""
        outer = [n + int(a) + int(b) for n, (a, b) in zip(shape, pads, strict=True)]
        self.steps.append(Fill(to, int(np.prod(outer)), value))
        inner = tuple(slice(int(a), int(a) + n) for n, (a, _) in zip(shape, pads, strict=True))
        places = np.arange(int(np.prod(outer))).reshape(outer)[inner]
        at = 0
        for run in runs(places):
            self.steps.append(
                Copy(Ref(to.base, to.at + run.at), Ref(source.base, source.at + at),
                     run.block, run.count, run.step, run.block)
            )  # fmt: skip
            at += run.block * run.count

    # ---- functions of one value ----

    def _table(self, op: Op) -> None:
        found = unary(op, self.graph)
        assert found is not None
        source, table = found
        out = op.outputs[0]
        if source in self.pending:
            source, before = self.pending[source]
            table = table[before + 128]
        readers = self.readers.get(out, [])
        if len(readers) == 1 and out not in self.graph.outputs and unary(readers[0], self.graph):
            self.pending[out] = source, table
            return
        # indexed by the byte as unsigned: 0..127, then -128..-1
        by_byte = np.roll(table, 128).astype(self.values.tensor(out).dtype)
        given = self.values.ref(source)
        self.steps.append(
            Table(self.values.result(out), given, self.values.tensor(out).size, by_byte)
        )

    def _elementwise(self, op: Op) -> None:
        a, b, out = (self.values.tensor(i) for i in (*op.inputs, *op.outputs))
        activation = int(op.options["fusedActivationFunction"])
        kind = AddScales if op.name == "ADD" else MulScales
        scales = kind(a, b, out, activation)
        if isinstance(scales, AddScales) and max(scales.a[1], scales.b[1], scales.out[1]) > 0:
            raise ExportError(f"{op.name}: scales so far apart that its sum always saturates")
        refs = [self._broadcast(t, out) for t in (a, b)]
        self.steps.append(
            Elementwise(op.name, self.values.result(out.index), refs[0], refs[1], out.size, scales)
        )

    def _broadcast(self, tensor: Tensor, out: Tensor) -> Ref:
        if tensor.size == out.size:
            return self.values.ref(tensor.index)
        indices = np.arange(tensor.size).reshape(tensor.shape)
        spread = np.broadcast_to(indices, out.shape)
        to = self.values.scratch(f"{tensor.index}_as_{out.index}", out.size)
        source = self.values.ref(tensor.index)
        at = 0
        for run in runs(spread):
            self.steps.append(
                Copy(Ref(to.base, at), Ref(source.base, source.at + run.at),
                     run.block, run.count, run.block, run.step)
            )  # fmt: skip
            at += run.block * run.count
        return to

    # ---- products and pools ----

    def _product(self, op: Op) -> None:
        given, filter_, out = (self.values.tensor(i) for i in (*op.inputs[:2], *op.outputs))
        weights = constant(op, 1, self.graph)
        if weights.dtype != np.int8 or filter_.zero_point != 0:
            raise ExportError(f"{op.name}: weights are {weights.dtype}, zero point "
                              f"{filter_.zero_point}; expected int8 and 0")  # fmt: skip
        source = self.values.ref(given.index)
        outputs = out.shape[-1]
        depth = 0
        if op.name == "FULLY_CONNECTED":
            size = weights.shape[-1]
            rows, row_size, row_step = 1, size, 0
            down, down_step, across, across_step = given.size // size, size, 1, 0
            flat = weights.reshape(outputs, size)
            zero_sum = flat.astype(np.int64).sum(axis=1)
        else:
            source, shape = self._windows(op, source, given, weights.shape)
            _, _, width, depth_in = shape
            _, taps_down, taps_across, _ = weights.shape
            dilation = int(op.options["dilationHFactor"])
            if taps_across > 1 and int(op.options["dilationWFactor"]) > 1:
                raise ExportError(f"{op.name}: this version writes no C for a dilated width")
            rows, row_size, row_step = (
                taps_down,
                taps_across * depth_in,
                dilation * width * depth_in,
            )
            down, across = out.shape[1], out.shape[2]
            down_step = int(op.options["strideH"]) * width * depth_in
            across_step = int(op.options["strideW"]) * depth_in
            if op.name == "CONV_2D":
                if weights.shape[3] != depth_in:
                    raise ExportError("CONV_2D: this version writes no C for grouped channels")
                flat = weights.reshape(outputs, -1)
                zero_sum = flat.astype(np.int64).sum(axis=1)
            else:
                depth = depth_in
                flat = weights.reshape(-1, outputs)
                zero_sum = flat.astype(np.int64).sum(axis=0)
        bias = np.zeros(outputs, np.int64)
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            bias += constant(op, 2, self.graph).astype(np.int64)
        if not depth and weights.min() == -128:
            raise ExportError(f"{op.name}: a weight of -128; TFLite's int8 weights end at -127")
        if not depth and (row_step == row_size or rows == 1):
            rows, row_size, row_step = 1, rows * row_size, 0  # rows without gaps are one
        bias -= given.zero_point * zero_sum
        if np.abs(bias).max() >= 2**29:  # sums stay under 2^30
            raise ExportError(f"{op.name}: a bias beyond 2^29")
        self.macs.append((op.name, down * across * flat.size))
        product = Product(
            op.name, self.values.result(out.index), source, flat, bias.astype(np.int32), rows,
            row_size, row_step, down, down_step, across, across_step, depth,
            scaling(op, given, filter_, out),
        )  # fmt: skip
        self.steps.append(product if depth else self._widened(product, given.index))

    def _widened(self, product: Product, tensor: int) -> Product:
        """A dense product with room for its window in int16; several may share one."""
        if product.rows == 1 and product.down == product.across == 1:
            if tensor in self.wide:
                return replace(product, wide=self.wide[tensor], widened=True)
            self.wide[tensor] = self.values.scratch(f"{self.number}_wide", 2 * product.taps)
            return replace(product, wide=self.wide[tensor])
        return replace(product, wide=self.values.scratch(f"{self.number}_wide", 2 * product.taps))

    def _windows(
        self, op: Op, source: Ref, given: Tensor, kernel: tuple[int, ...]
    ) -> tuple[Ref, tuple[int, ...]]:
        """The input with the padding of SAME around it, so that every window lies inside."""
        pads = same_pads(op, given.shape, kernel[1:3], "dilationHFactor", "dilationWFactor")
        if not pads.any():
            return source, given.shape
        shape = tuple(int(n + p.sum()) for n, p in zip(given.shape, pads, strict=True))
        to = self.values.scratch(f"{given.index}_padded_{self.number}", int(np.prod(shape)))
        self._padded(source, given.shape, pads, given.zero_point, to)
        return to, shape

    def _mean(self, op: Op) -> None:
        """A depthwise product by ones."""
        given, out = self.values.tensor(op.inputs[0]), self.values.tensor(op.outputs[0])
        axes = sorted({int(a) % len(given.shape) for a in constant(op, 1, self.graph).ravel()})
        axes = [a for a in axes if given.shape[a] > 1] or [0]
        first, last = axes[0], axes[-1] + 1
        if any(n > 1 for a, n in enumerate(given.shape[first:last], first) if a not in axes):
            raise ExportError("MEAN: this version writes no C for axes that are not neighbours")
        outer, count, inner = (
            int(np.prod(part, dtype=np.int64))
            for part in (given.shape[:first], given.shape[first:last], given.shape[last:])
        )
        source = self.values.ref(given.index)
        self.macs.append((op.name, given.size))
        self.steps.append(
            Product(
                op.name, self.values.result(out.index), source, np.ones((count, inner), np.int8),
                np.full(inner, -count * given.zero_point, np.int32), 1, count * inner, 0,
                outer, count * inner, 1, 0, inner, mean_scaling(given, out, count),
            )
        )  # fmt: skip

    def _pool(self, op: Op) -> None:
        given, out = self.values.tensor(op.inputs[0]), self.values.tensor(op.outputs[0])
        window = int(op.options["filterHeight"]), int(op.options["filterWidth"])
        pads = same_pads(op, given.shape, window, None, None)
        low, high = fixed_point.activation_range(int(op.options["fusedActivationFunction"]), out)
        _, height, width, depth = given.shape
        source = self.values.ref(given.index)
        self.steps.append(
            Pool(
                op.name, self.values.result(out.index), source, height, width, depth, window,
                (int(op.options["strideH"]), int(op.options["strideW"])),
                (int(pads[1, 0]), int(pads[2, 0])), (out.shape[1], out.shape[2]), low, high,
            )
        )  # fmt: skip
