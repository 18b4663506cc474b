"""A bundle's .tflite as plain numbers: tensors, operators, and the variables with their start."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_export.errors import ExportError

Array = npt.NDArray[Any]

# The operators that ESPHome's micro_wake_word registers with its interpreter, by their TFLite
# names; every target here takes these and no other.
OPS = frozenset((
    "CALL_ONCE", "VAR_HANDLE", "RESHAPE", "READ_VARIABLE", "STRIDED_SLICE", "CONCATENATION",
    "ASSIGN_VARIABLE", "CONV_2D", "MUL", "ADD", "MEAN", "FULLY_CONNECTED", "LOGISTIC",
    "QUANTIZE", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "PACK", "SPLIT_V",
))  # fmt: skip

_HANDLE = "resource"
_MAX_VALUES = 1 << 24  # of one tensor; far beyond any microcontroller

# What reading a damaged file raises.
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, TypeError,
    ValueError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """One tensor; ``data`` is there for a constant, ``scales`` for a quantized one."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str  # numpy's name, or "resource" for the handle of a variable
    scales: npt.NDArray[np.float32]  # (0,), (1,) or one a channel
    zero_point: int
    data: Array | None

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def scale(self) -> float:
        """The scale of a tensor quantized as a whole."""
        if len(self.scales) != 1:
            raise ExportError(f"tensor {self.name!r} has {len(self.scales)} scales; expected one")
        return float(self.scales[0])


@dataclass(frozen=True)
class Op:
    """One operator: what goes in and out by tensor number, and its options by their TFLite names.

    An optional input that is left out has the number -1.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """The step that runs every stride, and what the variables hold after a reset."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: dict[str, Array]  # by name: the value after a reset

    def variable(self, op: Op) -> str:
        """The name of the variable that a READ_VARIABLE or ASSIGN_VARIABLE means."""
        (handle,) = (o for o in self.ops if o.name == "VAR_HANDLE" and op.inputs[0] in o.outputs)
        return str(handle.options["sharedName"])


def parse(model: bytes, name: str) -> Graph:
    """Read a .tflite file. Raises ExportError when it is cut short, damaged or not int8.

    ``name`` is for messages. The schema is the one that comes with ai-edge-litert.
    """
    try:
        read = read_objects(model)
        graphs = [_tensors(read, graph) for graph in read.subgraphs]
        ops = [_ops(read, graph) for graph in read.subgraphs]
        main = read.subgraphs[0]
        inputs, outputs = (tuple(int(i) for i in end) for end in (main.inputs, main.outputs))
        _check_numbers(graphs, ops, inputs + outputs)
    except DAMAGE as error:
        raise damaged(name, error) from None
    for tensor in graphs[0]:
        if tensor.dtype in ("float32", "float16", "int16"):
            what = "16x8 (int16 activations)" if tensor.dtype == "int16" else "float"
            raise ExportError(
                f"{name}: a {what} model (tensor {tensor.name!r}); the esphome, c99 and tflm "
                "targets take int8 only; the Python runtime runs it, or quantize it to int8"
            )
    found = {op.name for graph in ops for op in graph}
    if found - OPS:
        raise ExportError(
            f"{name}: uses {', '.join(sorted(found - OPS))}, outside the {len(OPS)} operators that "
            "every firmware target knows; build it with `wakeword train`, which keeps to them"
        )
    try:
        return Graph(graphs[0], ops[0], inputs, outputs, _variables(graphs, ops, name))
    except DAMAGE as error:
        raise damaged(name, error) from None


def damaged(name: str, error: Exception) -> ExportError:
    """What to say of a .tflite that makes no sense."""
    said = str(error).splitlines()[0] if str(error) else ""
    return ExportError(
        f"{name}: the .tflite is cut short or damaged ({type(error).__name__}: {said}); "
        "copy both files of the bundle again"
    )


def read_objects(model: bytes) -> Any:
    """The file as a tree of the schema's objects (ModelT)."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def op_name(read: Any, op: Any) -> str:
    """The TFLite name of a schema operator."""
    from ai_edge_litert import schema_py_generated as schema

    code = read.operatorCodes[op.opcodeIndex]
    # Old readers knew operators below 127 by another field; the larger of the two counts.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    return names[number]


def _check_numbers(
    graphs: list[tuple[Tensor, ...]], ops: list[tuple[Op, ...]], ends: tuple[int, ...]
) -> None:
    """Raise ValueError for a tensor's number or size that cannot be."""
    for tensors, graph_ops in zip(graphs, ops, strict=True):
        used = {i for op in graph_ops for i in (*op.inputs, *op.outputs)}
        if not used <= set(range(-1, len(tensors))):
            raise ValueError(f"an operator names tensor {max(used)} of {len(tensors)}")
        if any(min(t.shape, default=1) < 0 or t.size > _MAX_VALUES for t in tensors):
            raise ValueError("a tensor of impossible size")
    if not set(ends) <= set(range(len(graphs[0]))):
        raise ValueError("an input or output that is no tensor")


def _tensors(read: Any, graph: Any) -> tuple[Tensor, ...]:
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k.lower() for k, v in vars(schema.TensorType).items() if not k.startswith("_")}
    tensors = []
    for index, tensor in enumerate(graph.tensors):
        dtype = names[tensor.type]
        shape = tuple(int(n) for n in (() if tensor.shape is None else tensor.shape))
        raw = read.buffers[tensor.buffer].data
        data = None
        if dtype != _HANDLE and raw is not None and len(raw):
            data = np.frombuffer(bytes(raw), dtype).reshape(shape)
        scales, zero_point = np.empty(0, np.float32), 0
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            scales = np.asarray(tensor.quantization.scale, np.float32)
            zero_point = int(tensor.quantization.zeroPoint[0])
        text = (tensor.name or b"").decode(errors="replace")
        tensors.append(Tensor(index, text, shape, dtype, scales, zero_point, data))
    return tuple(tensors)


def _ops(read: Any, graph: Any) -> tuple[Op, ...]:
    ops = []
    for op in graph.operators:
        options = {} if op.builtinOptions is None else dict(vars(op.builtinOptions))
        for key, value in options.items():
            if isinstance(value, bytes):
                options[key] = value.decode()
        inputs, outputs = (
            tuple(int(i) for i in (() if end is None else end)) for end in (op.inputs, op.outputs)
        )
        ops.append(Op(op_name(read, op), inputs, outputs, options))
    return tuple(ops)


def _variables(
    graphs: list[tuple[Tensor, ...]], ops: list[tuple[Op, ...]], name: str
) -> dict[str, Array]:
    """What the once-called subgraph assigns."""
    start: dict[str, Array] = {}
    for call in (op for op in ops[0] if op.name == "CALL_ONCE"):
        number = int(call.options["initSubgraphIndex"])
        if not 0 < number < len(graphs):
            raise ExportError(f"{name}: calls subgraph {number}, which the .tflite does not hold")
        once = Graph(graphs[number], ops[number], (), (), {})
        for op in once.ops:
            if op.name == "VAR_HANDLE":
                continue
            value = once.tensors[op.inputs[1]].data if op.name == "ASSIGN_VARIABLE" else None
            if value is None:
                raise ExportError(f"{name}: a variable does not start from a constant ({op.name})")
            start[once.variable(op)] = value
    return start
