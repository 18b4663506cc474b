"""The training loop: batches in, the best averaged weights out; stops and goes on at any time."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from training.devices import batches_are_divided
from training.events import EventLog
from training.pace import Pace
from training.prefetch import Batches, Prefetch
from training.side_by_side import Bars
from wakeword.errors import WakewordError
from wakeword.spec import write_atomic

if TYPE_CHECKING:
    import keras

Weights = list[npt.NDArray[Any]]
KEPT = ("best", "last")
PRECISIONS = ("float32", "mixed_bfloat16")  # float16 would need its loss scaled


class TrainingError(WakewordError):
    """A training that cannot go on."""


@dataclass(frozen=True)
class FitSpec:
    """How long and how fast."""

    steps: int = 6000
    learning_rate: float = 2e-3  # at its highest
    final_learning_rate: float = 5e-5
    rise_steps: int = 200  # from zero to the highest
    average_steps: int = 300  # time constant of the averaged weights, in optimizer steps
    check_steps: int = 500  # between validations, and the checkpoints that go with them
    keep: str = "best"  # the weights that validated best, or "last": few voices judge poorly
    clip_norm: float = 1.0  # of a gradient
    weight_decay: float = 1e-4
    precision: str = "float32"  # of the arithmetic; mixed_bfloat16 on a GPU. Weights are float32

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r}; expected {' or '.join(PRECISIONS)}")
        if self.keep not in KEPT:
            raise ValueError(f"keep {self.keep!r}; expected {' or '.join(KEPT)}")


@dataclass(frozen=True)
class Verdict:
    """What a validation says about some weights: higher ``rank`` is better."""

    rank: float
    metrics: dict[str, float]
    mined: npt.NDArray[np.int64]  # frames of the material that fire falsely


Validate = Callable[["keras.Model"], Verdict]


def learning_rate(step: int, spec: FitSpec) -> float:
    """Linear rise, then half a cosine (Loshchilov and Hutter, arXiv 1608.03983)."""
    if step < spec.rise_steps:
        return spec.learning_rate * (step + 1) / spec.rise_steps
    done = (step - spec.rise_steps) / max(1, spec.steps - spec.rise_steps)
    drop = spec.learning_rate - spec.final_learning_rate
    return spec.final_learning_rate + drop * (1 + math.cos(math.pi * min(1.0, done))) / 2


def fit(
    model: keras.Model,
    sampler: Batches,
    spec: FitSpec,
    validate: Validate,
    folder: Path,
    loss: keras.losses.Loss | None = None,
    watch: Callable[[dict[str, float]], None] | None = None,
    bars: Bars | None = None,
    name: str = "training",
) -> Weights:
    """Train ``model``; the averaged weights that validated best, or the last ones.

    ``loss`` is the binary cross-entropy of logits unless another is given. ``folder`` receives
    ``metrics.jsonl`` (a line a validation) and ``checkpoint.npz``; if it holds
    a checkpoint, training goes on from there to the result that it would have had without a stop.
    ``watch`` is told each line; whatever it raises ends the training. Its progress stands under
    ``name`` among ``bars``, whose Stopped ends it as well.
    Raises TrainingError on a loss that is not finite; the checkpoint keeps the last good weights.
    """
    import keras

    optimizer = keras.optimizers.AdamW(
        spec.learning_rate, weight_decay=spec.weight_decay, global_clipnorm=spec.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss or keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # ten times slower on a CPU
    )
    optimizer.build(model.trainable_variables)
    _compute_in(model, spec.precision)
    progress = _Progress.load(folder, model, optimizer)
    sampler.mined = progress.mined
    pace, events = Pace(), EventLog(folder)

    with ExitStack() as stack:
        if bars is None:
            bars = stack.enter_context(Bars())
        move = bars.begin(name, spec.steps, progress.step, progress.last)
        alone = batches_are_divided()
        ahead = stack.enter_context(Prefetch(sampler))
        while progress.step < spec.steps:
            with pace.waiting():
                batch = ahead.take(progress.step)
            step = progress.step + 1
            checks = step % spec.check_steps == 0 or step == spec.steps
            if not (checks or alone):  # what a validation mines is in the batches after it
                ahead.begin(step)
            optimizer.learning_rate = learning_rate(progress.step, spec)
            with pace.working(len(batch.frames)):
                cost = float(model.train_on_batch(batch.frames, batch.targets, batch.weights))
            if not math.isfinite(cost):
                raise TrainingError(
                    f"the loss is {cost} at step {progress.step}; the weights of step "
                    f"{progress.saved_step} stand in {folder}/checkpoint.npz: "
                    "halve fit.learning_rate in the recipe and train in a new folder"
                )
            progress.count(cost, model.get_weights(), spec.average_steps)
            if checks:
                progress.judge(model, validate, spec.keep)
                progress.lines[-1] |= pace.take()
                progress.save(folder, model, optimizer)
                sampler.mined = progress.mined
                events.write(progress.lines[-1])
                if watch:
                    watch(progress.lines[-1])
            move(progress.step, f"{pace.words}  {progress.last}")
    return progress.best


def _compute_in(model: keras.Model, precision: str) -> None:
    """Let every layer compute in a precision; the weights themselves stay float32."""
    import keras

    if precision != "float32":
        for layer in model._flatten_layers(include_self=False):
            if layer.weights:
                layer.dtype_policy = keras.DTypePolicy(precision)


class _Progress:
    """How far the training is: all that a checkpoint holds besides model and optimizer."""

    def __init__(self, weights: Weights):
        self.step = 0
        self.saved_step = 0
        self.loss = 0.0  # running mean since the last validation
        self.average = [w.astype(np.float64) for w in weights]
        self.best = weights
        self.best_rank = -math.inf
        self.mined: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.lines: list[dict[str, float]] = []
        self._losses: list[float] = []

    @property
    def last(self) -> str:
        """The last validation in words."""
        if not self.lines:
            return ""
        return "  ".join(f"{k} {v:.4g}" for k, v in self.lines[-1].items() if k != "step")

    def count(self, loss: float, weights: Weights, average_steps: int) -> None:
        """A step is done: into the mean of the losses and the average of the weights."""
        self.step += 1
        self._losses.append(loss)
        share = 1 / min(average_steps, self.step)  # at first a plain mean: nothing to forget yet
        for kept, new in zip(self.average, weights, strict=True):
            kept += share * (new - kept)

    def judge(self, model: keras.Model, validate: Validate, keep: str) -> None:
        """Validate the averaged weights; keep them if they are the best so far, or as the last."""
        training = model.get_weights()
        average = [a.astype(w.dtype) for a, w in zip(self.average, training, strict=True)]
        model.set_weights(average)
        verdict = validate(model)
        model.set_weights(training)
        self.mined = verdict.mined
        if verdict.rank >= self.best_rank or keep == "last":
            self.best_rank, self.best = verdict.rank, average
        self.loss = float(np.mean(self._losses))
        self._losses = []
        self.lines.append(
            {"step": self.step, "loss": self.loss, "rank": verdict.rank, **verdict.metrics}
        )

    def save(self, folder: Path, model: keras.Model, optimizer: keras.Optimizer) -> None:
        """Write metrics.jsonl and checkpoint.npz, each whole or not at all."""
        lines = "".join(json.dumps(line) + "\n" for line in self.lines)
        write_atomic(folder / "metrics.jsonl", lines.encode())
        arrays = {
            **_numbered("model", [v.numpy() for v in model.variables]),
            **_numbered("optimizer", [np.asarray(v) for v in optimizer.variables]),
            **_numbered("average", self.average),
            **_numbered("best", self.best),
            "mined": self.mined,
            "step": np.array(self.step),
            "best_rank": np.array(self.best_rank),
        }
        self.saved_step = self.step
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_atomic(folder / "checkpoint.npz", buffer.getvalue())

    @classmethod
    def load(cls, folder: Path, model: keras.Model, optimizer: keras.Optimizer) -> _Progress:
        """The checkpoint in ``folder``, put into model and optimizer; a beginning without one."""
        progress = cls(model.get_weights())
        path = folder / "checkpoint.npz"
        if not path.exists():
            return progress
        with np.load(path) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        for prefix, variables in (("model", model.variables), ("optimizer", optimizer.variables)):
            for variable, value in zip(variables, _unnumbered(prefix, kept), strict=True):
                variable.assign(value)
        progress.average = _unnumbered("average", kept)
        progress.best = _unnumbered("best", kept)
        progress.mined = kept["mined"]
        progress.step = progress.saved_step = int(kept["step"])
        progress.best_rank = float(kept["best_rank"])
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        progress.lines = [json.loads(line) for line in lines]
        return progress


def _numbered(prefix: str, arrays: Weights) -> dict[str, npt.NDArray[Any]]:
    return {f"{prefix}.{i:03d}": array for i, array in enumerate(arrays)}


def _unnumbered(prefix: str, arrays: dict[str, npt.NDArray[Any]]) -> Weights:
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}.")]
