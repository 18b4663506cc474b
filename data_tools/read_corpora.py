"""Transcribed public corpora as they come: LibriSpeech and Common Voice, read in place.

::

    LIBRISPEECH/**/SPEAKER-CHAPTER.trans.txt   "ID WORDS" a line, ID.flac beside it
    LIBRISPEECH/**/SPEAKERS.TXT                "ID | SEX | SUBSET | ..."; may be missing
    COMMON_VOICE/**/validated.tsv   columns path, sentence, client_id; age, gender, accents
    COMMON_VOICE/**/dev.tsv, test.tsv          whose speakers validate and test
    COMMON_VOICE/**/clips/PATH                 MP3
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from data_tools.clip import Clip, Group
from data_tools.corpora import CORPORA
from data_tools.downloads import UNPACKED, cache_folder, corpus_folder
from wakeword.errors import WakewordError

LIBRISPEECH, COMMON_VOICE = "CC BY 4.0 (LibriSpeech)", "CC0 (Common Voice)"
SEXES = {"m": "m", "f": "f", "male": "m", "female": "f",
         "male_masculine": "m", "female_feminine": "f"}  # fmt: skip
# Common Voice knows decades.
AGE_BANDS = {"teens": "teens", "twenties": "18-39", "thirties": "18-39", "fourties": "40-64",
             "forties": "40-64", "fifties": "40-64", "sixties": "60+", "seventies": "65+",
             "eighties": "65+", "nineties": "65+"}  # fmt: skip


def find_corpus(name: str, beside: Path = Path()) -> Path:
    """The folder of a corpus that was fetched, or a folder ``beside`` a recipe; WakewordError."""
    if name in CORPORA:
        folder = corpus_folder(CORPORA[name], cache_folder())
        if not (folder / UNPACKED).exists():
            raise WakewordError(f"{name}: not on this machine; get it: wakeword data fetch {name}")
        return folder
    if (beside / name).is_dir():
        return beside / name
    known = ", ".join(sorted(n for n in CORPORA if n.startswith("librispeech")))
    raise WakewordError(
        f"{name}: neither a corpus that can be fetched ({known}) nor a folder; Common Voice is "
        "unpacked by hand and given as its folder"
    )


def read_corpus(folder: Path, longest_s: float, most_hours: float) -> Iterator[Clip]:
    """Clips with transcripts of at most ``longest_s``, ``most_hours`` of them of each split.

    Which ones, a hash of each clip decides. A speaker is in one split only. WakewordError where
    neither layout is found.
    """
    if transcripts := sorted(folder.rglob("*.trans.txt")):
        clips = list(_librispeech(folder, transcripts))
    elif table := next(iter(sorted(folder.rglob("validated.tsv"))), None):
        clips = list(_common_voice(table))
    else:
        raise WakewordError(
            f"{folder}: no transcripts; expected LibriSpeech's *.trans.txt or Common Voice's "
            "validated.tsv somewhere below it"
        )
    yield from _timed(clips, longest_s, most_hours)


def _librispeech(folder: Path, transcripts: Iterable[Path]) -> Iterator[Clip]:
    sexes = {}
    for table in folder.rglob("SPEAKERS.TXT"):
        for line in table.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if not line.startswith(";") and len(cells) > 2:
                sexes[cells[0]] = SEXES.get(cells[1].lower())
    for path in transcripts:
        subset = path.parents[2].name  # as in train-clean-100/103/1240
        split = {"dev": "validation", "test": "test"}.get(subset.partition("-")[0], "train")
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, words = line.partition(" ")
            speaker = name.partition("-")[0]
            yield Clip(
                id=name,
                path=str((path.parent / f"{name}.flac").resolve()),
                label="negative",
                origin="corpus",
                transcript=words.strip().lower(),
                speaker=f"librispeech-{speaker}",
                group=Group(sex=sexes.get(speaker)),
                licence=LIBRISPEECH,
                commercial_use=True,
                split=split,
            )


def _common_voice(table: Path) -> Iterator[Clip]:
    testing = {row["client_id"] for row in _rows(table.with_name("test.tsv"))}
    choosing = {row["client_id"] for row in _rows(table.with_name("dev.tsv"))} - testing
    lengths = {
        row["clip"]: float(next(v for k, v in row.items() if k.startswith("duration"))) / 1000
        for row in _rows(table.with_name("clip_durations.tsv"))
    }
    for number, row in enumerate(_rows(table), start=2):
        if not row.get("path") or not row.get("client_id") or "sentence" not in row:
            raise WakewordError(
                f"{table}:{number}: expected the columns path, client_id and sentence, "
                f"found {', '.join(k for k, v in row.items() if v)}"
            )
        person = row["client_id"]
        split = "test" if person in testing else "validation" if person in choosing else "train"
        yield Clip(
            id=row["path"],
            path=str((table.parent / "clips" / row["path"]).resolve()),
            label="negative",
            origin="corpus",
            transcript=row["sentence"] or "",
            speaker=f"common-voice-{person[:24]}",
            group=Group(
                age_band=AGE_BANDS.get(row.get("age") or ""),
                sex=SEXES.get(row.get("gender") or ""),
                accent=row.get("accents") or row.get("accent") or None,
            ),
            licence=COMMON_VOICE,
            commercial_use=True,
            split=split,
            duration_s=lengths.get(row["path"]),
        )


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _timed(clips: Iterable[Clip], longest_s: float, most_hours: float) -> Iterator[Clip]:
    """Clips with their lengths, the long ones left out; until each split's hours are full."""
    hours: dict[str | None, float] = {}
    for clip in sorted(clips, key=lambda c: hashlib.sha256(c.id.encode()).digest()):
        if hours.get(clip.split, 0.0) >= most_hours or not Path(clip.path).exists():
            continue
        length_s = clip.duration_s or _length_s(clip.path)
        if 0 < length_s <= longest_s:
            hours[clip.split] = hours.get(clip.split, 0.0) + length_s / 3600
            yield replace(clip, duration_s=round(length_s, 3))


def _length_s(path: str) -> float:
    """From the file's header; 0 for a file that is none."""
    import soundfile

    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:
        return 0.0
