"""Where the values of a graph lie: in the frames, state, arena, a constant or the outputs."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from firmware_export.graph import Graph, Tensor
from firmware_export.program import Ref, aligned


class Values:
    """A place for each tensor, given as the lowering comes to it."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.refs: dict[int, Ref] = {graph.inputs[0]: Ref("frames")}
        self.sizes: dict[str, int] = {}  # of arena bases
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.late_reads: set[str] = set()  # variables that were looked at after they were written
        self.assigned_at: dict[str, int] = {}  # number of the operator that wrote a variable
        self.state: dict[str, int] = {}  # offsets of the variables
        self.state_bytes = 0
        for variable, start in graph.variables.items():
            self.state[variable] = self.state_bytes
            self.state_bytes += aligned(start.size)
        self.out: list[tuple[int, Tensor]] = []  # offset of each output
        self.out_bytes = 0
        for tensor in (graph.tensors[i] for i in graph.outputs):
            self.out.append((self.out_bytes, tensor))
            self.out_bytes += tensor.size

    def tensor(self, index: int) -> Tensor:
        """The tensor of that index."""
        return self.graph.tensors[index]

    def ref(self, index: int) -> Ref:
        """Where a tensor that is about to be read lies."""
        tensor = self.tensor(index)
        if tensor.data is not None:
            self.constants[f"const:{index}"] = tensor.data
            return Ref(f"const:{index}")
        ref = self.refs[index]
        variable = ref.base.removeprefix("state:")
        if ref.base.startswith("state:") and self.assigned_at.get(variable, -1) >= 0:
            self.late_reads.add(variable)
        return ref

    def result(self, index: int) -> Ref:
        """Where a tensor that is about to be written goes."""
        for offset, tensor in self.out:
            if tensor.index == index:
                self.refs[index] = Ref("out", offset)
                return self.refs[index]
        self.refs[index] = self.scratch(str(index), self.tensor(index).size)
        return self.refs[index]

    def scratch(self, name: str, size: int) -> Ref:
        """Room in the arena."""
        self.sizes[f"arena:{name}"] = size
        return Ref(f"arena:{name}")
