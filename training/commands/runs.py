"""``wakeword train runs``: what differs between runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command(name="runs")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what is the same in all.")
@click.option(
    "--mlflow", "uri", help="Log the runs to this MLflow too: http://HOST:PORT, or sqlite:///FILE."
)
@click.option("--json", "as_json", is_flag=True)
def command(folders: tuple[Path, ...], everything: bool, uri: str | None, as_json: bool) -> None:
    """Compare runs: where recipes differ, and beneath that where results differ.

    FOLDERS are run folders, or folders of them; runs/ by default.
    """
    from training import run_table

    rows = run_table.find(folders or (Path("runs"),))
    if uri:
        from training import tracking
        from training.runs import validations

        for row in rows:
            tracking.to_mlflow(row, validations(row.folder), uri, "wakeword")
    recipes, results = [r.recipe for r in rows], [r.results for r in rows]
    whole = everything or len(rows) == 1
    recipe_keys = list(dict.fromkeys(k for t in recipes for k in t))
    result_keys = list(dict.fromkeys(k for t in results for k in t))
    if not whole:
        recipe_keys, result_keys = run_table.differing(recipes), run_table.differing(results)
    if as_json:
        table = [
            {
                "folder": str(row.folder),
                "recipe": {key: row.recipe.get(key) for key in recipe_keys},
                "results": {key: row.results.get(key) for key in result_keys},
            }
            for row in rows
        ]
        click.echo(json.dumps(table, indent=1, ensure_ascii=False))
        return
    lines = [["", *(row.folder.name for row in rows)]]
    for keys, tables in ((recipe_keys, recipes), (result_keys, results)):
        lines += [[key, *(_cell(table.get(key)) for table in tables)] for key in keys]
        lines.append([""] * (len(rows) + 1))
    widths = [max(len(line[i]) for line in lines) for i in range(len(rows) + 1)]
    for line in lines[:-1]:
        click.echo("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:40]
