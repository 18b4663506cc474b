"""A .tflite with one of its outputs left, and whatever only the others needed taken out."""

from __future__ import annotations

from typing import Any

from firmware_export.graph import op_name, read_objects


def keep_output(model: bytes, index: int) -> bytes:
    """The file with output number ``index`` alone; the same bytes when it has no other."""
    read = read_objects(model)
    graph = read.subgraphs[0]
    if len(graph.outputs) == 1:
        return model
    import flatbuffers

    kept = int(graph.outputs[index])
    graph.outputs = [kept]
    ops = [(op_name(read, op), op) for op in graph.operators]
    needed = _needed(ops, graph, kept)
    graph.operators = [op for op, wanted in zip(graph.operators, needed, strict=True) if wanted]
    variables = {_variable(op) for (name, op), w in zip(ops, needed, strict=True)
                 if w and name == "VAR_HANDLE"}  # fmt: skip
    for once in read.subgraphs[1:]:
        _keep_variables(read, once, variables)
    for signature in read.signatureDefs or []:
        signature.outputs = [o for o in signature.outputs if o.tensorIndex == kept]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(read.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _needed(ops: list[tuple[str, Any]], graph: Any, kept: int) -> list[bool]:
    """Which operators the kept output depends on, through variables too."""
    tensors, variables = {kept}, set[bytes]()
    handle_of = {int(op.outputs[0]): _variable(op) for n, op in ops if n == "VAR_HANDLE"}
    needed = [name == "CALL_ONCE" for name, _ in ops]
    changed = True
    while changed:
        changed = False
        for number, (name, op) in enumerate(ops):
            assigned = name == "ASSIGN_VARIABLE" and handle_of[int(op.inputs[0])] in variables
            results = [] if op.outputs is None else [int(i) for i in op.outputs]
            if not needed[number] and (assigned or tensors & set(results)):
                needed[number] = changed = True
                tensors |= {int(i) for i in op.inputs} if op.inputs is not None else set()
                if name == "READ_VARIABLE":
                    variables.add(handle_of[int(op.inputs[0])])
    return needed


def _keep_variables(read: Any, once: Any, variables: set[bytes]) -> None:
    ops = [(op_name(read, op), op) for op in once.operators]
    gone = {int(op.outputs[0]) for name, op in ops
            if name == "VAR_HANDLE" and _variable(op) not in variables}  # fmt: skip
    once.operators = [
        op for name, op in ops
        if not (name == "VAR_HANDLE" and int(op.outputs[0]) in gone)
        and not (name == "ASSIGN_VARIABLE" and int(op.inputs[0]) in gone)
    ]  # fmt: skip


def _variable(op: Any) -> bytes:
    return bytes(op.builtinOptions.sharedName)
