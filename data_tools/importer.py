"""Audio that exists already into a dataset: any format and rate, nothing twice."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_tools.bounds import seconds, speech_bounds
from data_tools.check import AUDIO_SUFFIXES
from data_tools.clip import Clip, Group, samples_sha256
from data_tools.cuts import PIECE_S, SEEK_S, CutSpec, Take, pieces, takes
from data_tools.dataset import Dataset
from data_tools.layouts import read_folders
from data_tools.licences import allows_products
from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.clips import KeptClip
from wakeword.errors import AudioError, SpecError, WakewordError, refuse_unknown_keys
from wakeword.spec import parse, read_json

SUFFIXES = (*AUDIO_SUFFIXES, ".aif", ".aiff", ".au", ".caf", ".m4a", ".oga", ".w64", ".wma")
LONG_S = 10.0  # a positive longer than this is a recording of several takes
CSV_FIELDS = (
    "path", "label", "phrase", "transcript", "speaker", "licence", "split", "engine", "voice",
    "age_band", "sex", "accent", "distance_m", "room", "device",
)  # fmt: skip
GROUP_FIELDS = tuple(f.name for f in dataclasses.fields(Group))


@dataclass(frozen=True)
class Item:
    """A file to import and what is known about it; ``fields`` are those of Clip."""

    path: Path
    fields: Mapping[str, object]


@dataclass
class Outcome:
    """What became of the files."""

    added: list[Clip] = field(default_factory=list)
    known: int = 0  # already in the dataset, by their samples
    failed: list[str] = field(default_factory=list)  # one line a file
    silent: list[str] = field(default_factory=list)  # nothing to cut out of them


def find(paths: Iterable[Path], given: Mapping[str, object]) -> list[Item]:
    """The audio files at and below ``paths``; what was ``given`` overrides what folders say."""
    items = []
    for root in paths:
        folder = root if root.is_dir() else root.parent
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.is_file() and (file == root or file.suffix.lower() in SUFFIXES):
                phrase = given.get("phrase")
                said = read_folders(file, folder, str(phrase) if phrase else None)
                fields = {k: v for k, v in dataclasses.asdict(said).items() if v is not None}
                items.append(Item(file, {**fields, **given, **_device_fields(file)}))
    return items


def _device_fields(path: Path) -> dict[str, object]:
    """What a device wrote beside a clip that it kept; {} for any other file."""
    try:
        kept = parse(KeptClip, read_json(path.with_suffix(".json")), "")
    except WakewordError:
        return {}
    fields: dict[str, object] = {"origin": "device"}
    if kept.label:  # the owner has said whether the phrase was said
        said = kept.label == "true"
        fields |= {"label": "positive", "phrase": kept.phrase} if said else {"label": "negative"}
    return fields


def read_csv(path: Path, given: Mapping[str, object]) -> list[Item]:
    """The files named in a CSV with a header; its cells override what was ``given``."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            refuse_unknown_keys(reader.fieldnames or (), CSV_FIELDS, str(path))
            rows = list(reader)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecError(f"{path}: not a CSV file in UTF-8: {error}") from None
    items = []
    for number, row in enumerate(rows, start=2):
        if not row.get("path"):
            raise SpecError(f"{path}:{number}: no path")
        cells: dict[str, object] = {k: v for k, v in row.items() if v and k != "path"}
        group = {name: cells.pop(name) for name in GROUP_FIELDS if name in cells}
        if "distance_m" in group:
            try:
                group["distance_m"] = float(str(group["distance_m"]))
            except ValueError:
                raise SpecError(
                    f"{path}:{number}: distance_m {group['distance_m']!r}; expected metres"
                ) from None
        if group:
            cells["group"] = Group(**group)  # type: ignore[arg-type]
        items.append(Item(path.parent / row["path"], {**given, **cells}))
    return items


def preview(item: Item, cut: bool | None, spec: CutSpec) -> list[Take]:
    """The takes that a file will be cut into, in its own time; [] if it is taken whole or bad."""
    found: list[Take] = []
    try:
        for start_s, samples in pieces(item.path):
            if start_s == 0 and not is_cut(item, len(samples), cut):
                return []
            start = round(start_s * SAMPLE_RATE)
            found += [
                Take(t.start + start, t.end + start, t.speech_dbfs) for t in takes(samples, spec)
            ]
    except AudioError:
        return []  # told when it is imported
    return found


def is_cut(item: Item, n_samples: int, cut: bool | None) -> bool:
    """Whether a file is cut into takes: when asked to; else positives longer than ten seconds."""
    if cut is not None:
        return cut
    return item.fields.get("label") == "positive" and n_samples > LONG_S * SAMPLE_RATE


def import_items(
    dataset: Dataset, items: Iterable[Item], cut: bool | None, spec: CutSpec
) -> Iterator[tuple[Item, Outcome]]:
    """Import each file; yields it with what became of it. A bad file is told and passed over."""
    for item in items:
        outcome = Outcome()
        try:
            _refuse_incomplete(item)
            for samples, fields in _clips_in(item, cut, spec):
                _add(dataset, samples, {**item.fields, **fields}, outcome)
            if not outcome.added and not outcome.known:
                outcome.silent.append(f"{item.path}: no speech to cut out")
        except WakewordError as error:
            outcome.failed.append(str(error))
        except ValueError as error:  # a label or split that there is not
            outcome.failed.append(f"{item.path}: {error}")
        yield item, outcome


def _refuse_incomplete(item: Item) -> None:
    label = item.fields.get("label")
    if label is None:
        raise SpecError(
            f"{item.path}: no label; give --label, or name its folder positive or negative"
        )
    if label == "positive" and not item.fields.get("phrase"):
        raise SpecError(f"{item.path}: a positive of which phrase? give --phrase")


def _clips_in(
    item: Item, cut: bool | None, spec: CutSpec
) -> Iterator[tuple[Int16, dict[str, object]]]:
    """The file as it is, or its pieces or takes, which remember what they were cut from."""
    cut_it = False
    for start_s, samples in pieces(item.path):
        if start_s == 0:
            cut_it = is_cut(item, len(samples), cut)
            in_parts = cut_it or len(samples) > (PIECE_S - SEEK_S) * SAMPLE_RATE
            source: dict[str, object] = {"recording": item.path.name} if in_parts else {}
        if not samples.any():
            raise AudioError(f"{item.path}: holds no sound, every sample is zero; record it again")
        if not cut_it:
            yield samples, source
            continue
        for take in takes(samples, spec):
            yield samples[take.start : take.end], source


def _add(dataset: Dataset, samples: Int16, fields: Mapping[str, object], outcome: Outcome) -> None:
    sha256 = samples_sha256(samples)
    if dataset.find_samples(sha256):
        outcome.known += 1
        return
    bounds = speech_bounds(samples) if fields.get("label") in ("positive", "negative") else None
    licence = fields.get("licence")
    if fields["label"] != "positive":
        fields = {**fields, "phrase": None}
    clip = Clip(id=sha256[:16], path="", **{"origin": "recorded", **fields})  # type: ignore[arg-type]
    clip = replace(
        clip,
        commercial_use=allows_products(str(licence)) if licence else None,
        speech_start_s=seconds(bounds[0]) if bounds else None,
        speech_end_s=seconds(bounds[1]) if bounds else None,
    )
    outcome.added.append(dataset.add(samples, clip))
