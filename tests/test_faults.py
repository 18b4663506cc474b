"""What goes wrong in months of listening, and that listening goes on."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymicro_wakeword
import pytest
from soundcard import SoundCard, soundcard, until  # noqa: F401
from test_listen import Listening, listen, play_until, spoken  # noqa: F401

from wakeword.bundle import Bundle
from wakeword.detector import Detector
from wakeword.errors import BundleError
from wakeword.reload import ModelWatch

ROOT = Path(__file__).parents[1]
NAME = "robert_turn_on"
FOREIGN = Path(pymicro_wakeword.__file__).parent / "models" / "okay_nabu.tflite"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return Bundle.load(NAME).save(tmp_path)


def looked_twice(watch: ModelWatch) -> None:
    watch.tend()
    watch.tend()


# --- the model file -------------------------------------------------------------------------------


def test_a_corrupted_model_file_is_told_once_and_the_old_one_goes_on(
    saved: Path, recording: np.ndarray
) -> None:
    detector, told = Detector.load(saved), []
    watch = ModelWatch(detector, told.append, look_s=0)
    expected = Detector.load(saved).push(recording)
    model = saved.with_suffix(".tflite").read_bytes()
    saved.with_suffix(".tflite").write_bytes(model[:1000] + b"?" + model[1001:])
    looked_twice(watch)
    looked_twice(watch)
    assert len(told) == 1 and "sha256" in told[0] and "goes on" in told[0]
    assert detector.push(recording) == expected
    saved.unlink()
    looked_twice(watch)
    assert len(told) == 2


def test_a_model_that_is_replaced_is_taken_over_while_the_clock_goes_on(
    saved: Path, recording: np.ndarray
) -> None:
    detector, told = Detector.load(saved, gate=False, threshold=0.5), []
    watch = ModelWatch(detector, told.append, look_s=0)
    detector.push(recording)
    heard_s = detector.time_s
    table = json.loads(saved.read_text())
    table["wake_word"] = "Robert, turn it on"
    saved.write_text(json.dumps(table))
    watch.tend()
    assert not told, "it was taken while somebody may still be writing it"
    watch.tend()
    assert told == ["the models were replaced; the new ones are listening"]
    found = detector.push(recording)
    assert found and all(d.phrase == "Robert, turn it on" and d.time_s > heard_s for d in found)


def test_a_bundle_of_another_name_is_no_replacement(saved: Path) -> None:
    detector = Detector.load(saved)
    with pytest.raises(BundleError, match="cannot be replaced by"):
        detector.replace([Bundle.create("other", detector.bundles[0].manifest, detector.bundles[0].model)])  # fmt: skip


DAMAGE = """
import os, random, sys
from contextlib import suppress
from pathlib import Path
from wakeword.bundle import Bundle, Manifest
from wakeword.errors import BundleError
from wakeword.model import StreamingModel

good, micro = Path(sys.argv[1]).read_bytes(), Bundle.load("robert_turn_on").manifest.micro
crashed = []
for seed in range(150):
    child = os.fork()
    if child == 0:
        rng, data = random.Random(seed), bytearray(good)
        for _ in range(rng.choice([1, 3, 10, 100])):
            data[rng.randrange(len(data) if seed % 2 else 3000)] = rng.randrange(256)
        status = 1
        try:
            with suppress(BundleError):
                StreamingModel.of(Bundle("x", Manifest("x", "x.tflite", micro), bytes(data)))
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        crashed.append(seed)
print(crashed)
"""


def test_a_damaged_model_without_a_hash_is_refused_or_runs_and_never_crashes() -> None:
    """Others' manifests carry no hash: the runtime has to take whatever bytes there are."""
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(FOREIGN)], capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr[-2000:]


# --- the rest -------------------------------------------------------------------------------------


def test_a_full_disk_behind_standard_output_is_told_and_listening_goes_on(
    soundcard: SoundCard,
    spoken: Path,
) -> None:
    with Path("/dev/full").open("w") as full:
        listening = subprocess.Popen(
            [sys.executable, "-m", "wakeword.cli", "listen", "--json", "--threshold", "0.5"],
            env={**os.environ, **soundcard.variables},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert listening.stderr is not None
    lines: list[str] = []
    os.set_blocking(listening.stderr.fileno(), False)

    def told_twice() -> bool:
        lines.extend(listening.stderr.readlines())  # type: ignore[union-attr]
        return sum("No space left" in line for line in lines) >= 2

    try:
        play_until(soundcard, spoken, told_twice)
        listening.terminate()
        assert listening.wait(60) == 0
    finally:
        listening.kill()


def test_an_action_that_takes_long_delays_neither_detections_nor_the_end(
    soundcard: SoundCard,
    listen: object,
    spoken: Path,
    tmp_path: Path,
) -> None:
    go = tmp_path / "go"
    command = f"sh -c 'until [ -e {go} ]; do sleep 0.1; done'"
    listening: Listening = listen("--json", "--on-detect", command)  # type: ignore[operator]
    try:
        play_until(soundcard, spoken, lambda: len(listening.output) >= 2)
        listening.process.terminate()
        assert listening.process.wait(60) == 0
    finally:
        go.touch()  # ends the commands, which went on by themselves


def test_no_clock_that_can_be_set_measures_a_time_on_the_device() -> None:
    """Seconds between two events come from time.monotonic(): people and NTP set the other one."""
    for path in (ROOT / "wakeword").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                wrong = (node.value.id, node.attr) in {("time", "time"), ("time", "time_ns")}
                assert not wrong, f"{path.name}:{node.lineno} uses {node.value.id}.{node.attr}"
