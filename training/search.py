"""Search for a recipe on Ray Tune: many short trainings, the poor ones stopped early (ASHA).

Li et al., "A System for Massively Parallel Hyperparameter Tuning", arXiv 1810.05934. The learning
rate of every trial falls over its whole length, so one that is stopped early is judged at a higher
rate than it would have ended with; ``grace_checks`` is how long they are left alone.

    OUT/space.toml     as it was given
    OUT/features/      made once; every trial learns from them
    OUT/trials/        Ray's own: where a search goes on after a stop
    OUT/results.json   every trial: its values, how far it came, its best validation
    OUT/best.toml      the recipe of the best one
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.cluster import connect
from training.material import Material
from training.recipe_text import toml_text
from training.search_space import Space
from wakeword.errors import WakewordError
from wakeword.spec import read_toml, write_atomic

TRIALS = "trials"


@dataclass(frozen=True)
class Place:
    """Where trials run, and what each of them may use."""

    workers: int = 1  # CPU cores of this machine, where no cluster is named
    ray: str | None = None  # an existing cluster's address
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0


def search(space_path: Path, out: Path, place: Place) -> list[dict[str, Any]]:
    """Run the trials, or those that an earlier try left; their results, the best first.

    WakewordError if the folder holds another search, or if no trial came to a validation.
    """
    space = Space.read(space_path)
    for number in range(space.spec.trials):
        space.recipe(number)  # a contradiction ends here, not in a trial
    _begin(space, space_path, out)
    done = out / "results.json"
    if done.exists():
        kept: list[dict[str, Any]] = json.loads(done.read_text(encoding="utf-8"))
        return kept
    learned, aside = _material(space, out, place)
    ray = connect(place.ray, place.workers)
    try:
        results = _run(space, out, place, learned, aside)
    finally:
        ray.shutdown()
    if not results or results[0]["best"] is None:
        why = results[0]["error"] if results else "no trial began"
        raise WakewordError(f"{out}: no trial came to a validation: {why}")
    best = results[0]
    head = (
        f"# Trial {best['trial']} of {space_path.name}: {space.spec.metric} "
        f"{best['best'][space.spec.metric]:.4f} at step {best['best']['step']}.\n"
        f"# wakeword train run {out / 'best.toml'} --out {out} makes no features anew.\n"
    )
    text = toml_text(space.portable(best["trial"]))
    write_atomic(out / "best.toml", (head + text).encode())
    write_atomic(done, json.dumps(results, indent=1).encode())
    # Kept until now: what Ray wrote down of a killed search may name any but the last of them.
    for checkpoint in (out / TRIALS).glob("*/checkpoint_*"):
        shutil.rmtree(checkpoint)
    return results


def _begin(space: Space, space_path: Path, out: Path) -> None:
    kept = out / "space.toml"
    recipe = out / ".recipe.json"  # of the space: it may be changed between two tries
    text = json.dumps(space.table, sort_keys=True).encode()
    if kept.exists() and (read_toml(kept) != read_toml(space_path) or recipe.read_bytes() != text):
        raise WakewordError(
            f"{out}: a search of another space or recipe; give another folder with --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(recipe, text)
    shutil.copyfile(space_path, kept)


def _material(space: Space, out: Path, place: Place) -> tuple[Material, Material]:
    from training.division import divide
    from training.pipeline import build_features
    from training.runs import Run

    recipe = space.recipe(0)
    job = Run(out, recipe, space.beside)
    division = divide(recipe.data, recipe.about.phrase, space.beside)
    return build_features(job, division, place.workers, place.ray)


def _run(
    space: Space, out: Path, place: Place, learned: Material, aside: Material
) -> list[dict[str, Any]]:
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    from training.search_progress import TrialsDone

    spec = space.spec
    trainable: Any = tune.with_resources(
        tune.with_parameters(
            train_one, space=space, learned=learned, aside=aside, threads=place.cpus_per_trial
        ),
        {"cpu": place.cpus_per_trial, "gpu": place.gpus_per_trial},
    )
    fits = [space.recipe(number).fit for number in range(spec.trials)]
    path = str((out / TRIALS).resolve())
    if tune.Tuner.can_restore(path):
        tuner = tune.Tuner.restore(path, trainable, resume_unfinished=True, restart_errored=True)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space={"trial": tune.grid_search(list(range(spec.trials)))},
            tune_config=tune.TuneConfig(
                metric=spec.metric,
                mode="max",
                reuse_actors=True,  # TensorFlow is imported once a process, not once a trial
                scheduler=ASHAScheduler(
                    time_attr="step",
                    max_t=max(fit.steps for fit in fits),
                    grace_period=spec.grace_checks * min(fit.check_steps for fit in fits),
                    reduction_factor=spec.keep_one_in,
                ),
            ),
            run_config=tune.RunConfig(
                name=TRIALS,
                storage_path=str(out.resolve()),
                verbose=0,
                callbacks=[TrialsDone(spec.trials, spec.metric)],
                failure_config=tune.FailureConfig(max_failures=2),
            ),
        )
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints its own table
        grid = tuner.fit()
    rows = [_row(space, result) for result in grid]
    return sorted(rows, key=lambda row: -(row["best"] or {spec.metric: -1e9})[spec.metric])


def train_one(
    config: dict[str, Any], space: Space, learned: Material, aside: Material, threads: float
) -> None:
    """One trial, in a process of Ray's: tells Ray every validation, with its checkpoint."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from ray import tune

    from training.batches import Sampler
    from training.fit import fit
    from training.runs import Run
    from training.wake_network import network, validator

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # this process has run a trial before
            tf.config.threading.set_intra_op_parallelism_threads(max(1, int(threads)))
    recipe = space.recipe(config["trial"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = Run(folder, recipe, space.beside)
        earlier = tune.get_checkpoint()
        if earlier:
            earlier.to_directory(folder)

        def tell(line: dict[str, float]) -> None:
            metric = space.spec.metric
            if metric not in line:
                raise WakewordError(f"metric {metric!r}: expected one of {', '.join(line)}")
            told = {"step": line["step"], metric: line[metric], "line": json.dumps(line)}
            tune.report(told, checkpoint=tune.Checkpoint.from_directory(folder))

        sampler = Sampler(learned, recipe.batch, recipe.network.stride, recipe.seed)
        fit(network(job), sampler, recipe.fit, validator(job, aside, learned), folder, watch=tell)


def _row(space: Space, result: Any) -> dict[str, Any]:
    """What results.json says of a trial."""
    number = result.config["trial"]
    steps, metric = space.recipe(number).fit.steps, space.spec.metric
    row: dict[str, Any] = {
        "trial": number,
        "parameters": space.parameters(number),
        "steps": 0,
        "of_steps": steps,
        "best": None,  # the validation whose weights are kept
        "error": str(result.error).strip().splitlines()[-1] if result.error else None,
    }
    told = result.metrics_dataframe
    if told is not None and len(told):
        row["steps"] = int(told["step"].max())
        row["best"] = json.loads(told.loc[told[metric].idxmax(), "line"])
    return row
