"""Training stops and goes on without a trace, and never keeps weights that are not numbers."""

from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_batches import material

pytest.importorskip("tensorflow")

from training.batches import BatchSpec, Sampler
from training.fit import FitSpec, TrainingError, Verdict, Weights, fit, learning_rate
from training.model import NetworkSpec, build

SPEC = FitSpec(steps=12, check_steps=4, rise_steps=3)
TINY = NetworkSpec(filters=4, units=4)


class Interrupted(Exception):
    """Stands for Ctrl-C, a power cut, a killed process."""


def train(folder: Path, stop_at_check: int | None = None) -> Weights:
    checks = 0

    def validate(model: object) -> Verdict:
        nonlocal checks
        checks += 1
        if checks == stop_at_check:
            raise Interrupted
        mined = np.array([150, 350]) + checks  # the next batches depend on the last validation
        return Verdict(float(checks), {"recall": 0.5}, mined)

    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    return fit(build(TINY, seed=1), sampler, SPEC, validate, folder)


def test_the_best_weights_are_kept_or_the_last_where_the_recipe_says_so(tmp_path: Path) -> None:
    ranks = {"best": iter((3.0, 1.0, 2.0)), "last": iter((3.0, 1.0, 2.0))}
    kept = {}
    for keep, rank in ranks.items():
        averages: list[Weights] = []

        def validate(model: object, rank=rank, averages=averages) -> Verdict:
            averages.append(model.get_weights())
            return Verdict(next(rank), {}, np.empty(0, np.int64))

        sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
        spec = replace(SPEC, keep=keep)
        kept[keep] = fit(build(TINY, seed=1), sampler, spec, validate, tmp_path / keep), averages
    for (weights, averages), which in ((kept["best"], 0), (kept["last"], -1)):
        for a, b in zip(weights, averages[which], strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_stopped_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    at_once = train(tmp_path / "at_once")
    stopped = tmp_path / "stopped"
    with pytest.raises(Interrupted):
        train(stopped, stop_at_check=2)
    assert (stopped / "checkpoint.npz").exists()
    in_two = train_rest(stopped)
    for a, b in zip(at_once, in_two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("at_once", "stopped")]
    assert lines[0].count("\n") == lines[1].count("\n") == 3
    # TensorBoard draws the same numbers, of both tries.
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    drawn = EventAccumulator(str(stopped / "events"), {TENSORS: 0}).Reload()
    told = [json.loads(line) for line in lines[1].splitlines()]
    for name in ("loss", "rank"):
        events = sorted(drawn.Tensors(name), key=lambda e: e.step)
        assert [e.step for e in events] == [4, 8, 12]
        values = [float(make_ndarray(e.tensor_proto)) for e in events]
        assert values == pytest.approx([line[name] for line in told])


def train_rest(folder: Path) -> Weights:
    checks = 1  # one was made before the stop

    def validate(model: object) -> Verdict:
        nonlocal checks
        checks += 1
        return Verdict(float(checks), {"recall": 0.5}, np.array([150, 350]) + checks)

    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    # Other initial weights: all of it has to come from the checkpoint.
    return fit(build(TINY, seed=99), sampler, SPEC, validate, folder)


def test_a_killed_process_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    at_once = train(tmp_path / "at_once")
    script = (
        "import os, signal, sys, test_fit\n"
        "from pathlib import Path\n"
        "class Killed(int):\n"
        "    def __eq__(self, checks):\n"
        "        return checks == 2 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "    __hash__ = int.__hash__\n"
        "test_fit.train(Path(sys.argv[1]), Killed())\n"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
    folder = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", script, str(folder)], env=environment)
    assert done.returncode == -signal.SIGKILL
    with np.load(folder / "checkpoint.npz") as kept:
        assert int(kept["step"]) == 4
    for a, b in zip(at_once, train_rest(folder), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_full_disk_keeps_the_last_checkpoint_whole(tmp_path: Path) -> None:
    at_once = train(tmp_path / "at_once")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder, checks = tmp_path / "full", 0

    def validate(model: object) -> Verdict:
        nonlocal checks
        checks += 1
        if checks == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        return Verdict(float(checks), {"recall": 0.5}, np.array([150, 350]) + checks)

    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    try:
        with pytest.raises(OSError, match="too large") as caught:
            fit(build(TINY, seed=1), sampler, SPEC, validate, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG, "an error that the command tells in one line"
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []
    for a, b in zip(at_once, train_rest(folder), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    good = sampler.batch

    def broken(step: int):  # type: ignore[no-untyped-def]
        batch = good(step)
        if step == 6:
            batch.frames[:] = np.nan
        return batch

    sampler.batch = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="step 6") as caught:
        fit(build(TINY), sampler, SPEC, lambda _: Verdict(0.0, {}, np.empty(0, np.int64)), tmp_path)
    assert "step 4" in str(caught.value)
    with np.load(tmp_path / "checkpoint.npz") as kept:
        assert int(kept["step"]) == 4
        assert all(np.isfinite(kept[name]).all() for name in kept.files if name != "best_rank")


def test_the_best_validated_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    seen: list[list[np.ndarray]] = []

    def validate(model):  # type: ignore[no-untyped-def]
        seen.append(model.get_weights())
        return Verdict([0.1, 0.9, 0.5][len(seen) - 1], {}, np.empty(0, np.int64))

    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    best = fit(build(TINY), sampler, SPEC, validate, tmp_path)
    for kept, second in zip(best, seen[1], strict=True):
        np.testing.assert_array_equal(kept, second)


def test_the_learning_rate_rises_and_then_falls_to_its_end() -> None:
    spec = FitSpec(steps=100, rise_steps=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(step, spec) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
