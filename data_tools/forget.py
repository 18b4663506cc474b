"""Erasing a person: audio, manifest lines and everything computed from them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data_tools.clip import Clip
from data_tools.dataset import Dataset
from data_tools.web.speakers import Speakers


@dataclass
class Forgotten:
    """What was erased, and what learned from it and stays."""

    clips: list[Clip] = field(default_factory=list)
    features: list[Path] = field(default_factory=list)  # feature stores and pools of decoded audio
    runs: list[Path] = field(default_factory=list)
    bundles: list[Path] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)  # unreadable lines that may name the person


def forget(dataset: Dataset, speaker: str, under: Iterable[Path], dry_run: bool) -> Forgotten:
    """Erase a speaker from the dataset and from what was derived below the folders ``under``.

    Derived first: whoever stops half-way can run it again, because the clips still say what to
    look for.
    """
    result = Forgotten(damaged=dataset.damage())
    result.clips = [clip for clip in dataset.clips() if clip.speaker == speaker]
    ids = {clip.id for clip in result.clips}
    if ids:
        for folder in _derived(under):
            if ids.isdisjoint(_ids_in(folder)):
                continue
            result.features.append(folder)
            run = next((p for p in folder.parents if (p / "run.json").exists()), None)
            if run and run not in result.runs:
                result.runs.append(run)
                result.bundles += sorted(run.rglob("*.tflite"))
    if not dry_run:
        for folder in result.features:
            shutil.rmtree(folder)
        dataset.remove(ids)
        Speakers(dataset.folder).forget(speaker)
    return result


def _derived(under: Iterable[Path]) -> Iterator[Path]:
    """Feature stores (training.features) and pools (data_tools.pool), each once."""
    seen = set()
    for root in under:
        for mark in ("store.json", "digest.txt"):
            for path in sorted(root.rglob(mark)):
                folder = path.parent.resolve()
                if folder not in seen:
                    seen.add(folder)
                    yield folder


def _ids_in(folder: Path) -> set[str]:
    """The ids of the clips that a store or pool was made from."""
    from data_tools.clip import from_line

    if (folder / "clips.txt").exists():
        return set((folder / "clips.txt").read_text(encoding="utf-8").splitlines())
    if (folder / "clips.jsonl").exists():
        lines = (folder / "clips.jsonl").read_bytes().splitlines()
        return {from_line(line, str(folder)).id for line in lines}
    return set()
