"""A program as C: weights, one parameter block a step, and the function that runs them."""

from __future__ import annotations

import numpy as np

from firmware_export import c_text
from firmware_export.fixed_point import AddScales
from firmware_export.program import (
    TOGETHER,
    Copy,
    Elementwise,
    Fill,
    Pool,
    Product,
    Program,
    Ref,
    Step,
    Table,
)

HALF = (1 << 30, 0)  # 1/2 as a multiplier and an exponent


def source(program: Program, name: str, heading: str) -> str:
    """The C file of one network; ``name`` prefixes its two functions, ``heading`` is a comment."""
    writer = _Writer(program)
    calls = [writer.call(number, step) for number, step in enumerate(program.steps)]
    resets = [writer.reset(variable) for variable in program.start]
    constants = [
        c_text.array(_constant_name(base), values, static=True)
        for base, values in program.constants.items()
    ]
    body = "\n".join(f"    {line}" for call in calls for line in call.split("\n"))
    reset_body = "\n".join(f"    {line}" for line in resets) or "    (void)variables;"
    used = {"frames": "frames", "variables": "variables", "arena": "arena"}
    unused = "".join(f"    (void){v};\n" for v in used if f"{v} " not in body + " ")
    return (
        f"/* {heading} */\n"
        '#include <string.h>\n\n#include "ww_kernels.h"\n'
        f'#include "{name}.h"\n\n'
        + "\n".join([*constants, *writer.blocks])
        + f"\nvoid {name}_reset(int8_t *variables)\n{{\n{reset_body}\n}}\n"
        + f"\nvoid {name}_step(const int8_t *frames, int8_t *variables, int8_t *arena,\n"
        + f"{' ' * (len(name) + 11)}int8_t *outputs)\n{{\n{unused}{body}\n}}\n"
    )


def header(name: str) -> str:
    """The declarations that belong to :func:`source`."""
    guard = f"WW_MODEL_{name.upper()}_H"
    return (
        f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n"
        f"void {name}_reset(int8_t *variables);\n"
        f"void {name}_step(const int8_t *frames, int8_t *variables, int8_t *arena,\n"
        f"{' ' * (len(name) + 11)}int8_t *outputs);\n\n#endif\n"
    )


class _Writer:
    def __init__(self, program: Program):
        self.program = program
        self.blocks: list[str] = []  # definitions that the calls use
        self.tables: dict[bytes, str] = {}

    def reset(self, variable: str) -> str:
        at, start = self.program.state[variable], self.program.start[variable].ravel()
        if np.all(start == start[0]):
            return f"memset(variables + {at}, {int(start[0])}, {start.size});"
        name = f"start_{at}"
        self.blocks.append(c_text.array(name, start, static=True))
        return f"memcpy(variables + {at}, {name}, {start.size});"

    def call(self, number: int, step: Step) -> str:
        if isinstance(step, Copy):
            if step.count == 1:
                return (
                    f"ww_copy({self.at(step.to)}, {self.at(step.source)}, {step.block}, 1, 0, 0);"
                )
            return (
                f"ww_copy({self.at(step.to)}, {self.at(step.source)}, {step.block}, {step.count}, "
                f"{step.to_step}, {step.from_step});"
            )
        if isinstance(step, Fill):
            return f"memset({self.at(step.to)}, {step.value}, {step.size});"
        if isinstance(step, Table):
            table = self.table(step, number)
            return f"ww_table({self.at(step.to)}, {self.at(step.source)}, {step.size}, {table});"
        if isinstance(step, Elementwise):
            return self.elementwise(number, step)
        if isinstance(step, Product):
            return self.product(number, step)
        return self.pool(number, step)

    def at(self, ref: Ref) -> str:
        kind, _, rest = ref.base.partition(":")
        if kind == "arena":
            return _sum("arena", self.program.arena[ref.base] + ref.at)
        if kind == "state":
            return _sum("variables", self.program.state[rest] + ref.at)
        if kind == "const":
            return _sum(_constant_name(ref.base), ref.at)
        return _sum({"out": "outputs", "frames": "frames"}[kind], ref.at)

    def table(self, step: Table, number: int) -> str:
        content = step.table.tobytes()
        if content not in self.tables:
            self.tables[content] = f"table_{number}"
            unsigned = np.frombuffer(content, np.uint8)
            self.blocks.append(c_text.array(self.tables[content], unsigned, static=True))
        return self.tables[content]

    def elementwise(self, number: int, step: Elementwise) -> str:
        s, a, b = step.scales, step.a, step.b
        zero_a, zero_b, other = s.zero_a, s.zero_b, (0, 0)
        if isinstance(s, AddScales):
            other = s.b
            if s.a != HALF:  # the one of the larger scale comes first
                a, b, zero_a, zero_b, other = b, a, zero_b, zero_a, s.a
        self.blocks.append(
            f"static const ww_pair pair_{number} = {{{_scale(other)}, {_scale(s.out)},\n"
            f"    {zero_a}, {zero_b}, {s.zero}, {s.low}, {s.high}}};\n"
        )
        function = {"ADD": "ww_add", "MUL": "ww_multiply"}[step.kind]
        places = f"{self.at(step.to)}, {self.at(a)}, {self.at(b)}"
        return f"{function}({places}, {step.size}, &pair_{number});"

    def product(self, number: int, step: Product) -> str:
        scaling = step.scaling
        scales = ",\n".join(f"    {_scale(scale)}" for scale in scaling.scales)
        weights = step.weights if step.depth else step.pairs()
        kind = "weights" if step.depth else "pairs"
        bias = np.zeros(-(-len(step.bias) // TOGETHER) * TOGETHER, np.int32)
        bias[: len(step.bias)] = step.bias
        self.blocks += [
            c_text.array(f"{kind}_{number}", weights, static=True),
            c_text.array(f"bias_{number}", bias, static=True),
            f"static const ww_scale scales_{number}[{len(scaling.scales)}] = {{\n{scales}}};\n",
            f"static const ww_product product_{number} = {{\n"
            f"    .{kind} = {kind}_{number}, .bias = bias_{number}, .scales = scales_{number},\n"
            f"    .scale_step = {int(len(scaling.scales) > 1)}, .once = {int(scaling.once)}, "
            f".outputs = {len(step.bias)}, "
            f".rows = {step.rows}, .row_size = {step.row_size}, .row_step = {step.row_step}, "
            f".taps = {step.taps}, .widened = {int(step.widened)},\n"
            f"    .depth = {step.depth}, .down = {step.down}, .down_step = {step.down_step}, "
            f".across = {step.across}, .across_step = {step.across_step},\n"
            f"    .zero = {scaling.zero}, .low = {scaling.low}, .high = {scaling.high}}};\n",
        ]
        places = f"{self.at(step.to)}, {self.at(step.source)}"
        if step.wide is None:
            return f"ww_depthwise({places}, &product_{number});"
        return f"ww_dense({places}, (uint32_t *)(void *)({self.at(step.wide)}), &product_{number});"

    def pool(self, number: int, step: Pool) -> str:
        numbers = [
            step.height, step.width, step.depth, *step.window, *step.stride, *step.pad,
            *step.out_size, step.low, step.high,
        ]  # fmt: skip
        self.blocks.append(
            f"static const ww_pool pool_{number} = {{{', '.join(map(str, numbers))}}};\n"
        )
        function = {"AVERAGE_POOL_2D": "ww_average_pool", "MAX_POOL_2D": "ww_max_pool"}[step.kind]
        return f"{function}({self.at(step.to)}, {self.at(step.source)}, &pool_{number});"


def _sum(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset else base


def _scale(scale: tuple[int, int]) -> str:
    return f"{{{scale[0]}, {scale[1]}}}"


def _constant_name(base: str) -> str:
    return base.replace(":", "_")
