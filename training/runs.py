"""The run folder: everything about one training, and nothing about it anywhere else.

::

    FOLDER/recipe.toml      the recipe as it was given
    FOLDER/run.json         git revision, versions, hash of the clips, where the recipe was
    FOLDER/features/NAME/   feature stores (training.features)
    FOLDER/metrics.jsonl    a line a validation
    FOLDER/checkpoint.npz   where the training goes on after a stop
    FOLDER/members/N/       both of these, of each network of an ensemble
    FOLDER/network.npz      the chosen weights
    FOLDER/NAME.json, NAME.tflite   the bundle
    FOLDER/NAME.head.npz    its float weights, to tune it from (training.wake_head)
    FOLDER/streams/         the test as audio with known truth (training.stream_folder)
    FOLDER/evaluation.json  what the bundle does on it (training.scorecard)
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data_tools.clip import Clip, to_line
from training.config import Recipe, read_recipe
from wakeword.errors import WakewordError
from wakeword.spec import read_json, write_atomic


@dataclass(frozen=True)
class Run:
    """A run folder, open."""

    folder: Path
    recipe: Recipe
    beside: Path  # the folder of the recipe as it was given: its relative paths start there

    @classmethod
    def begin(cls, recipe_path: Path, folder: Path) -> Run:
        """Open a run folder for a recipe, made first if need be.

        WakewordError if the folder belongs to another recipe: its stages would not fit together.
        """
        recipe = read_recipe(recipe_path)
        kept = folder / "recipe.toml"
        text = recipe_path.read_bytes()
        if kept.exists() and read_recipe(kept) != recipe:
            raise WakewordError(
                f"{folder}: a run of another recipe; give another folder with --out, "
                f"or delete this one to begin anew"
            )
        write_atomic(kept, text)
        return cls(folder, recipe, recipe_path.parent)

    @classmethod
    def recipe_folder(cls, folder: Path) -> Path:
        """Where the recipe of a run lay; the run folder itself if that is not known any more."""
        about = read_json(folder / "run.json") if (folder / "run.json").exists() else {}
        return Path(about.get("recipe_folder", folder))

    @property
    def manifest(self) -> Path:
        """Path of the bundle's JSON."""
        return self.folder / f"{self.recipe.about.name}.json"

    def note(self, clips: Iterable[Clip]) -> dict[str, object]:
        """Write run.json; what of it goes into the bundle as its provenance."""
        provenance: dict[str, object] = {
            "recipe_sha256": hashlib.sha256((self.folder / "recipe.toml").read_bytes()).hexdigest(),
            "data_sha256": clips_sha256(clips),
            "git_revision": git_revision(),
            "versions": {name: _version(name) for name in ("wakeword", "keras", "tensorflow")},
        }
        about = {
            **provenance,
            "python": sys.version.split()[0],
            "argv": sys.argv[1:],
            "recipe_folder": str(self.beside.resolve()),
        }
        write_atomic(self.folder / "run.json", json.dumps(about, indent=1).encode())
        return provenance


def validations(folder: Path) -> list[dict[str, float]]:
    """What each validation of a run said; of an ensemble, its members' mean at each step."""
    paths = sorted(folder.glob("members/*/metrics.jsonl")) or [folder / "metrics.jsonl"]
    members = [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in paths
        if path.exists()
    ]
    # Members of a run that is not done have come to different steps.
    return [
        {key: sum(line[key] for line in lines) / len(lines) for key in lines[0]}
        for lines in zip(*members, strict=False)
    ]


def clips_sha256(clips: Iterable[Clip]) -> str:
    """Hash of which clips, with what label and of what samples or length, were used."""
    digest = hashlib.sha256()
    for clip in sorted(clips, key=lambda c: c.id):
        line = json.loads(to_line(clip))
        del line["path"]  # where it lies on this machine changes nothing
        digest.update(json.dumps(line, sort_keys=True).encode())
    return digest.hexdigest()


def git_revision() -> str | None:
    """The checked-out revision, with "+" if files were changed since; None outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
