"""Runs side by side: where their recipes differ, and where their results do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import read_recipe
from training.runs import validations
from wakeword.errors import WakewordError
from wakeword.spec import read_json, to_table

NOT_COMPARED = ("about.author", "about.website")


@dataclass(frozen=True)
class RunRow:
    """One run, flat: dotted recipe keys, and what was measured."""

    folder: Path
    recipe: dict[str, Any]
    results: dict[str, float | None]

    @classmethod
    def read(cls, folder: Path) -> RunRow:
        """WakewordError if it is no run folder."""
        if not (folder / "recipe.toml").exists():
            raise WakewordError(f"{folder}: no run here (no recipe.toml)")
        recipe = flat(to_table(read_recipe(folder / "recipe.toml")))
        return cls(folder, {k: v for k, v in recipe.items() if k not in NOT_COMPARED},
                   _results(folder))  # fmt: skip


def find(folders: Sequence[Path]) -> list[RunRow]:
    """The runs in these folders, each a run or a folder of runs."""
    found = []
    for folder in folders:
        if (folder / "recipe.toml").exists():
            found.append(folder)
        else:
            found += sorted(path.parent for path in folder.glob("*/recipe.toml"))
    if not found:
        where = ", ".join(map(str, folders))
        raise WakewordError(f"{where}: no runs here; name run folders, or the folder they are in")
    return [RunRow.read(folder) for folder in found]


def differing(tables: Sequence[dict[str, Any]]) -> list[str]:
    """Keys whose values are not the same in all tables."""
    keys = dict.fromkeys(key for table in tables for key in table)
    return [k for k in keys if len({json.dumps(t.get(k)) for t in tables}) > 1]


def flat(table: Any, at: str = "") -> dict[str, Any]:
    """Nested tables as one with dotted keys; lists of named tables by their names."""
    if isinstance(table, dict):
        items = list(table.items())
    elif isinstance(table, list) and table and all(isinstance(x, dict) for x in table):
        items = [(str(x.get("name", i)), x) for i, x in enumerate(table)]
    else:
        return {at: table}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= flat(value, f"{at}.{key}" if at else key)
    return found


def _results(folder: Path) -> dict[str, float | None]:
    """The last validation's metrics, and the scorecard's numbers at each point."""
    results: dict[str, float | None] = {}
    for line in validations(folder)[-1:]:
        results |= {f"last {key}": value for key, value in line.items()}
    if (folder / "evaluation.json").exists():
        for point in read_json(folder / "evaluation.json").get("points", ()):
            name = point["name"]
            for of, scores in point["phrases"].items():
                results[f"{name}: missed, {of}"] = scores["frr"]["value"]
            for of, scores in point["near_misses"].items():
                results[f"{name}: {of.rpartition(', ')[0]} fired"] = scores["fired"]["value"]
            rate = point["speech"].get("all", {}).get("fa_per_hour")
            results[f"{name}: FA/h"] = rate["value"] if rate else None
    return results
