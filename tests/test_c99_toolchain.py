"""The exported C is clean for compilers and sanitizers, and small and right on a Cortex-M."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_library import WARNINGS, program, write

from firmware_export import c99, c_text, golden, size
from firmware_export.model import Model
from wakeword.audio import Int16
from wakeword.bundle import Bundle
from wakeword.detector import Detector

ARM = ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
CORES = {"cortex-m4": "mps2-an386", "cortex-m0plus": "mps2-an385"}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(Bundle.load("robert_turn_on")).wake_alone()  # two ears: test_c99_phrase.py


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """A c99 export's files."""
    folder = tmp_path_factory.mktemp("export")
    made = c99.files([model], golden.make([model], golden.default_audio()))
    for name, data in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def library_sources(export: Path) -> list[Path]:
    return sorted((export / "src").glob("*.c"))


@pytest.mark.parametrize("gate", [0, 1])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_compiler_warns(export: Path, tmp_path: Path, compiler: str, gate: int) -> None:
    path = program(compiler, compiler)
    mains = [export / "host/wakeword_host.c", export / "golden/golden_test.c"]
    for source in [*library_sources(export), *mains]:
        subprocess.run(
            [path, *WARNINGS, "-O2", f"-DWAKEWORD_GATE={gate}", f"-I{export / 'src'}", "-c",
             source, "-o", tmp_path / "x.o"], check=True,
        )  # fmt: skip


def test_sanitizers_find_nothing_and_the_golden_test_passes(export: Path, tmp_path: Path) -> None:
    gcc = program("gcc", "gcc libc6-dev")
    for gate in (0, 1):
        test = tmp_path / f"golden_test_{gate}"
        subprocess.run(
            [gcc, "-std=c99", "-O1", "-g", "-fsanitize=address,undefined",
             "-fno-sanitize-recover=all", f"-DWAKEWORD_GATE={gate}", f"-I{export / 'src'}",
             "-o", test, export / "golden/golden_test.c", *library_sources(export)], check=True,
        )  # fmt: skip
        done = subprocess.run([test, export / "golden/golden.bin"], capture_output=True, text=True)
        assert "error" not in done.stderr, done.stderr
        if not gate:  # with the gate the network hears less: the detections are others
            assert done.stdout.splitlines()[-1] == "equal", done.stdout


def test_the_library_can_be_read_in_an_hour() -> None:
    sources = (c_text.TEMPLATES / "c99/src").iterdir()
    apart = ("_avx2.h", "wakeword_models.h", "ww_frontend_tables.h")  # the host's, and tables
    texts = [path.read_text() for path in sources if not path.name.endswith(apart)]
    assert sum(len(text.splitlines()) for text in texts) < 1500


def test_a_processor_with_a_short_int_is_refused(export: Path) -> None:
    gcc = program("gcc", "gcc libc6-dev")
    short = [gcc, "-std=c99", "-U__INT_MAX__", "-D__INT_MAX__=32767", f"-I{export / 'src'}"]
    done = subprocess.run([*short, "-fsyntax-only", export / "src/wakeword.c"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode and "an int of 32 bits" in done.stderr


FUZZ = r"""
#include "wakeword.h"
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static wakeword ears;
    static int16_t block[4096];
    wakeword_detection found[2];
    wakeword_init(&ears);
    wakeword_set_threshold(&ears, 0, 1);
    while (size > 3) { /* length, loudness, then samples from a simple generator or the data */
        size_t count = (size_t)(data[0] | (data[1] & 15) << 8);
        uint32_t noise = data[2];
        for (size_t i = 0; i < count; i++) {
            noise = noise * 1664525U + 1013904223U;
            block[i] = (int16_t)(uint16_t)(data[2] & 1 ? noise >> 16 : data[3 + i % (size - 3)] * 257U);
        }
        wakeword_push(&ears, block, count, found, data[2] % 3U);
        size_t used = 3 + count % 61;
        data += used < size ? used : size;
        size -= used < size ? used : size;
    }
    return 0;
}
"""


def test_random_blocks_break_nothing(export: Path, tmp_path: Path) -> None:
    clang = program("clang", "clang libclang-rt-dev")
    (tmp_path / "fuzz.c").write_text(FUZZ)
    for gate in (0, 1):
        fuzzer = tmp_path / f"fuzz_{gate}"
        built = subprocess.run(
            [clang, "-std=c99", "-O1", "-g", "-fsanitize=fuzzer,address,undefined",
             "-fno-sanitize-recover=all", f"-DWAKEWORD_GATE={gate}", f"-I{export / 'src'}",
             "-o", fuzzer, tmp_path / "fuzz.c", *library_sources(export)],
            capture_output=True, text=True,
        )  # fmt: skip
        if "libclang_rt" in built.stderr:
            pytest.skip("clang has no runtime of its own: sudo apt install libclang-rt-dev")
        assert built.returncode == 0, built.stderr
        subprocess.run(
            [fuzzer, "-runs=300", "-max_len=600", "-seed=1"], check=True, capture_output=True
        )


def test_cppcheck_finds_nothing(export: Path) -> None:
    cppcheck = program("cppcheck", "cppcheck")
    written = [
        export / "src" / f"{n}.c" for n in ("wakeword", "ww_frontend", "ww_spectrum", "ww_kernels")
    ]
    done = subprocess.run(
        # it takes the array that wakeword_push fills for one that it reads
        [cppcheck, "--std=c99", "--enable=warning,performance,portability", "--error-exitcode=1",
         "--suppress=ctuuninitvar", "--quiet", f"-I{export / 'src'}", *written,
         export / "host/wakeword_host.c"], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def arm_build(export: Path, tmp_path: Path, cpu: str) -> list[Path]:
    gcc = program(*ARM)
    objects = []
    for source in library_sources(export):
        objects.append(tmp_path / f"{source.stem}.o")
        subprocess.run(
            [gcc, f"-mcpu={cpu}", "-mthumb", *WARNINGS, "-O2", f"-I{export / 'src'}", "-c", source,
             "-o", objects[-1]], check=True,
        )  # fmt: skip
    return objects


@pytest.mark.parametrize("cpu", CORES)
def test_it_fits_and_needs_neither_malloc_nor_floating_point(
    export: Path, tmp_path: Path, cpu: str, model: Model
) -> None:
    objects = arm_build(export, tmp_path, cpu)
    output = subprocess.run(
        ["arm-none-eabi-size", *objects], check=True, capture_output=True, text=True
    ).stdout
    rows = [line.split() for line in output.splitlines()[1:]]
    flash, ram = sum(int(r[0]) for r in rows), sum(int(r[1]) + int(r[2]) for r in rows)
    assert ram == 0, "the library keeps state outside its struct"
    assert flash < 100_000
    estimated = size.network_bytes(model) + size.front_end_bytes()
    estimated += size.CORES["dsp" if cpu == "cortex-m4" else "m0"].code_bytes
    assert flash == pytest.approx(estimated, abs=1500), "`wakeword export size` is off"
    undefined = subprocess.run(
        ["arm-none-eabi-nm", "-u", *objects], check=True, capture_output=True, text=True
    ).stdout
    names = {line.split()[-1] for line in undefined.splitlines() if " U " in line}
    foreign = {n for n in names if not n.startswith(("ww_", "wakeword_", model.name, "mem"))}
    # what is left is the compiler's integer arithmetic, and none of its soft floating point
    assert all(re.fullmatch(r"__aeabi_(lmul|ll\w+|lasr|u?[il]div\w*)|__clzsi2", n) for n in foreign)


def test_the_struct_is_as_large_as_the_size_command_says(
    export: Path, tmp_path: Path, model: Model
) -> None:
    gcc = program(*ARM)
    (tmp_path / "s.c").write_text('#include "wakeword.h"\nchar room[sizeof(wakeword)];\n')
    subprocess.run(
        [gcc, "-mcpu=cortex-m4", "-mthumb", f"-I{export / 'src'}", "-c", tmp_path / "s.c",
         "-o", tmp_path / "s.o"], check=True,
    )  # fmt: skip
    named = subprocess.run(
        ["arm-none-eabi-nm", "-S", tmp_path / "s.o"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert abs(int(named[1], 16) - size.ram_bytes([model])) <= 16


@pytest.mark.parametrize("cpu", CORES)
def test_an_emulated_cortex_m_hears_what_the_pi_hears(
    export: Path, tmp_path: Path, cpu: str, model: Model, recording: Int16
) -> None:
    program(*ARM)
    program("qemu-system-arm", "qemu-system-arm")
    program("make", "make")
    audio = recording[: 6 * 16_000]
    threshold = int(
        np.percentile(
            np.convolve(golden.make([model], audio).models[0].outputs[:, 0], np.ones(model.window)),
            85,
        )
    )
    score = threshold / 256 / model.window
    generated = export / "src/wakeword_models.c"
    original = generated.read_text()
    lowered = re.sub(r"\.threshold = \d+", f".threshold = {threshold}", original)
    lowered = re.sub(r"\.rise_threshold = \d+", f".rise_threshold = {-(-threshold // 2)}", lowered)
    bare_metal = export / "examples/bare_metal"
    audio.tofile(bare_metal / "audio.raw")
    (bare_metal / "wakeword.elf").unlink(missing_ok=True)
    try:
        generated.write_text(lowered)
        done = subprocess.run(
            ["make", "-s", "-C", bare_metal, "run", f"CPU={cpu}", f"MACHINE={CORES[cpu]}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        generated.write_text(original)
    (of,) = golden.make([model], audio).models
    expected = golden.decide(model, of.outputs, threshold)
    heard = [
        [int(n) for n in line.split()[1:]]
        for line in done.stdout.splitlines()
        if line.startswith(model.name)
    ]
    assert heard == expected.tolist() != []
    pi = Detector([model.bundle], gate=False, threshold=score).push(audio)
    assert len(pi) == pytest.approx(len(heard), abs=1)
    (measured,) = re.findall(r"(\d+) instructions a unit, \d+ at most, (\d+) bytes", done.stdout)
    instructions, stack = map(int, measured)
    core = size.CORES["dsp" if cpu == "cortex-m4" else "m0"]
    predicted = size.instructions_a_second([model], core) * 0.03
    assert predicted == pytest.approx(instructions, rel=0.15), "`wakeword export size` is off"
    assert stack < 2000


def test_the_host_tool_prints_what_detect_prints(
    export: Path, tmp_path: Path, model: Model, recording: Int16
) -> None:
    from firmware_export.verify import compile_c

    # a score that both kernels pass or miss together: halfway up to the loudest moment
    sums = np.convolve(
        golden.make([model], recording).models[0].outputs[:, 0], np.ones(model.window)
    )
    threshold = int(sums.max() // 2)
    manifest = model.bundle.manifest
    micro = replace(manifest.micro, probability_cutoff=threshold / 256 / model.window)
    bundle = replace(model.bundle, manifest=replace(manifest, micro=micro))
    folder = tmp_path / "export"
    write(folder / "src", [Model.load(bundle)])
    (folder / "host").mkdir()
    (folder / "host/wakeword_host.c").write_bytes((export / "host/wakeword_host.c").read_bytes())
    host = compile_c(folder, "host/wakeword_host.c", tmp_path / "host")
    said = subprocess.run([host], input=recording.tobytes(), capture_output=True, check=True)
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    device = Detector([bundle], gate=False).push(recording)
    assert lines and [sorted(line) for line in lines] == [
        sorted(("name", "phrase", "score", "time_s", "started_s"))
    ] * len(lines)
    assert len(lines) == pytest.approx(len(device), abs=1)
    assert lines[0]["phrase"] == bundle.phrase
