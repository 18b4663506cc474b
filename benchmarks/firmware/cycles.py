"""Cycles a unit on a Cortex-M4, by the instruction timings in Arm's manual of the core.

python benchmarks/firmware/cycles.py [BUNDLE] [--seconds 1.2] [--flags=-O2]

qemu writes down every instruction of the bare-metal example; each is given the cycles that the
Cortex-M4 Technical Reference Manual (table 3-1) states for memory without wait states. What the
manual gives as a range (a taken branch refills the pipeline in 1 to 3 cycles, a division takes 2 to
12) is added up at both ends. A flash that makes the core wait comes on top.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from firmware_export import c99, golden
from firmware_export.model import Model
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, read_file
from wakeword.bundle import Bundle
from wakeword.demo import RECORDING

TRACE = re.compile(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")
OURS = re.compile(
    r"ww_|wakeword_push|_step$|^(transform|stage|dense|finish|add_products|rescale|hear|decide|score"
    r"|mem(cpy|set|move))"
)


def listing(elf: Path) -> dict[int, tuple[str, str, int, str]]:
    """Of each address: mnemonic, operands, bytes, function."""
    text = subprocess.run(["arm-none-eabi-objdump", "-d", elf], check=True, capture_output=True,
                          text=True).stdout  # fmt: skip
    found, function = {}, ""
    for line in text.splitlines():
        if head := re.match(r"^[0-9a-f]+ <(.+)>:", line):
            function = head[1]
        if row := re.match(r"^\s+([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(\S+)\s*([^;@]*)", line):
            size = 4 if len(row[2].replace(" ", "")) == 8 else 2
            found[int(row[1], 16)] = (
                row[3].removesuffix(".w").removesuffix(".n"),
                row[4],
                size,
                function,
            )
    return found


def registers(operands: str) -> int:
    """How many are in a list such as {r4, r6-r8}."""
    count = 0
    for part in operands[operands.index("{") + 1 : operands.index("}")].split(","):
        ends = [int(n) for n in re.findall(r"r(\d+)", part)]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def cycles(name: str, operands: str, loads_before: bool, taken: bool) -> tuple[int, int]:
    """At least and at most."""
    if name.startswith(("ldm", "stm", "push", "pop")):
        least = 1 + registers(operands)
    elif name.startswith(("ldrd", "strd")):
        least = 3
    elif name.startswith("ldr"):
        least = 1 if loads_before else 2
    elif name.startswith("str"):
        least = 1 if "#" in operands or operands.count(",") == 1 else 2
    else:
        least = 1
    most = least
    if re.match(r"[us]div", name):
        least, most = 2, 12
    if taken:
        least, most = least + 1, most + 3
    return least, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", default="robert_turn_on")
    parser.add_argument("--seconds", type=float, default=1.2, help="of the shipped recording")
    parser.add_argument("--flags", default="-O2")
    arguments = parser.parse_args()
    model = Model.load(Bundle.load(arguments.bundle))
    units = int(arguments.seconds * SAMPLE_RATE) // STEP_SAMPLES
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, data in c99.files([model], golden.make([model], golden.default_audio())).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        board = folder / "examples/bare_metal"
        read_file(RECORDING)[: units * STEP_SAMPLES].tofile(board / "audio.raw")
        subprocess.run(["make", "-s", "-C", board, "wakeword.elf", f"CFLAGS={arguments.flags}"],
                       check=True, capture_output=True)  # fmt: skip
        code = listing(board / "wakeword.elf")
        run = subprocess.Popen(
            ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-icount", "shift=0",
             "-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout", "-semihosting-config",
             "enable=on,target=native", "-kernel", "wakeword.elf"],
            cwd=board, stdout=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        least = most = instructions = 0
        kinds: Counter[str] = Counter()
        before: tuple[int, bool] | None = None  # address, and whether it loaded one word
        assert run.stdout is not None
        last = 0
        for line in run.stdout:
            if not (row := TRACE.match(line)):
                continue
            at = int(row[1], 16)
            if last in code:
                name, operands, size, function = code[last]
                taken = at != last + size
                alone = name.startswith("ldr") and not name.startswith("ldrd")
                if OURS.search(function):
                    low, high = cycles(name, operands, bool(before and before[1]), taken)
                    least, most, instructions = least + low, most + high, instructions + 1
                    kinds[name] += 1
                before = last, alone
            last = at
        run.wait()
    figures = {
        "bundle": model.name, "flags": arguments.flags, "units": units,
        "instructions_a_unit": round(instructions / units),
        "cycles_a_unit": [round(least / units), round(most / units)],
        "cycles_an_instruction": [round(least / instructions, 3), round(most / instructions, 3)],
        "percent_of_100_mhz": [round(n / units / 30_000, 2) for n in (least, most)],
        "commonest": dict(kinds.most_common(12)),
    }  # fmt: skip
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
