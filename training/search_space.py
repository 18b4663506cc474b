"""What a search varies: keys of a recipe, each with its values. A TOML file beside the recipe.

::

    recipe = "hey_kitchen.toml"
    trials = 16

    [parameters."fit.learning_rate"]
    log_uniform = [5e-4, 5e-3]

    [parameters."network.units"]
    choice = [48, 64, 96]
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from training.config import Recipe
from wakeword.errors import SpecError, refuse_unknown_keys
from wakeword.spec import parse, read_toml

# Features are made once, for all trials; these tables of a recipe have no influence on them.
TABLES = ("labels", "network", "batch", "fit")


@dataclass(frozen=True)
class Range:
    """The values of one key: one of the fields, and no other."""

    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None  # evenly in the logarithm
    whole: tuple[int, int] | None = None  # whole numbers, both ends included
    choice: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        given = [f.name for f in fields(self) if getattr(self, f.name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"gives {' and '.join(given) or 'nothing'}; expected one of uniform, log_uniform, "
                "whole, choice"
            )
        (kind,) = given
        values = getattr(self, kind)
        if not values or (kind != "choice" and not values[0] < values[1]):
            raise ValueError(f"{kind} is {list(values)}; expected [low, high], low below high")
        if kind == "log_uniform" and values[0] <= 0:
            raise ValueError(f"log_uniform begins at {values[0]:g}; expected more than 0")

    def draw(self, rng: np.random.Generator) -> Any:
        """One value."""
        if self.uniform:
            return float(rng.uniform(*self.uniform))
        if self.log_uniform:
            return float(np.exp(rng.uniform(*map(math.log, self.log_uniform))))
        if self.whole:
            return int(rng.integers(self.whole[0], self.whole[1] + 1))
        assert self.choice
        return self.choice[rng.integers(len(self.choice))]


@dataclass(frozen=True)
class SpaceSpec:
    """The whole file."""

    recipe: str  # a recipe beside this file
    parameters: dict[str, Range]  # by dotted key of the recipe, as in "fit.learning_rate"
    trials: int = 16  # the first is the recipe as it is
    seed: int = 1  # of what is drawn
    metric: str = "rank"  # of a validation, the higher the better; metrics.jsonl has the names
    grace_checks: int = 2  # no trial is stopped before so many validations
    keep_one_in: int = 3  # of the trials that come to a rung of ASHA, so many go on to the next

    def __post_init__(self) -> None:
        if self.trials < 1 or self.grace_checks < 1 or self.keep_one_in < 2:
            raise ValueError(
                "expected trials and grace_checks of 1 or more, and keep_one_in of 2 or more"
            )
        if not self.parameters:
            raise ValueError("no parameters: nothing would be searched")
        for key in self.parameters:
            table, _, rest = key.partition(".")
            if table not in TABLES or not rest:
                raise ValueError(
                    f"parameter {key!r}: can't be searched; expected a key of "
                    f"{', '.join(TABLES)}, as in fit.learning_rate (features are made once)"
                )


@dataclass(frozen=True)
class Space:
    """The file with the recipe that it varies."""

    spec: SpaceSpec
    table: dict[str, Any] = field(hash=False)  # of the recipe as it was given
    beside: Path  # the recipe's folder: its relative paths start there

    @classmethod
    def read(cls, path: Path) -> Space:
        """SpecError names the file and the key, also one that the recipe does not know."""
        spec = parse(SpaceSpec, read_toml(path), str(path))
        recipe = path.parent / spec.recipe
        space = cls(spec, read_toml(recipe), recipe.parent)
        known = parse(Recipe, space.table, str(recipe))
        if known.distil.teachers:
            raise SpecError(f"{recipe}: has distil.teachers; a search trains none, leave them out")
        for key in spec.parameters:
            table, _, name = key.partition(".")
            inside = [f.name for f in fields(getattr(known, table))]
            refuse_unknown_keys([name], inside, f"{path}: parameters.{table}")
        return space

    def parameters(self, number: int) -> dict[str, Any]:
        """Of trial ``number``: none for the first, which is the recipe as it is."""
        if not number:
            return {}
        rng = np.random.default_rng((self.spec.seed, number))
        return {key: values.draw(rng) for key, values in self.spec.parameters.items()}

    def recipe_table(self, number: int) -> dict[str, Any]:
        """The recipe of a trial, as a table."""
        return varied(self.table, self.parameters(number))

    def recipe(self, number: int) -> Recipe:
        """The recipe of a trial; SpecError if its values contradict each other."""
        return parse(Recipe, self.recipe_table(number), f"trial {number}")

    def portable(self, number: int) -> dict[str, Any]:
        """The recipe of a trial for a file anywhere on this machine: its paths are absolute."""
        table = self.recipe_table(number)
        data, network = table["data"], table.get("network", {})
        if "datasets" in data:
            data["datasets"] = [str((self.beside / d).resolve()) for d in data["datasets"]]
        if (self.beside / network.get("backbone", "")).is_file():
            network["backbone"] = str((self.beside / network["backbone"]).resolve())
        return table


def varied(table: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a recipe's table with other values at dotted keys."""
    new = copy.deepcopy(dict(table))
    for key, value in parameters.items():
        *path, name = key.split(".")
        inside = new
        for step in path:
            inside = inside.setdefault(step, {})
        inside[name] = value
    return new
