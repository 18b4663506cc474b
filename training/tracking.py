"""Runs in MLflow, through its own library, for those who ask for it."""

from __future__ import annotations

from training.run_table import RunRow
from wakeword.errors import WakewordError


def to_mlflow(run: RunRow, lines: list[dict[str, float]], uri: str, experiment: str) -> str:
    """Log a run with its recipe, its results and its metrics by step; the id that MLflow gives."""
    try:
        import mlflow
    except ModuleNotFoundError:
        raise WakewordError("MLflow is not installed: pip install 'wakeword[mlflow]'") from None

    def plain(name: str) -> str:  # MLflow takes letters, digits, and a few signs
        return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)

    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(experiment)
    except mlflow.MlflowException as error:
        raise WakewordError(f"MLflow at {uri}: {str(error).splitlines()[0]}") from None
    with mlflow.start_run(run_name=run.folder.name) as started:
        mlflow.log_params({plain(k): v for k, v in run.recipe.items()})
        for line in lines:
            step = int(line["step"])
            mlflow.log_metrics({plain(k): v for k, v in line.items() if k != "step"}, step=step)
        mlflow.log_metrics({plain(k): v for k, v in run.results.items() if v is not None})
        for name in ("recipe.toml", "evaluation.json", "report.html"):
            if (run.folder / name).exists():
                mlflow.log_artifact(str(run.folder / name))
        return str(started.info.run_id)
