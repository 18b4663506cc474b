"""Transcribed speech: who says which phones. What the backbone's phone head learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools.clip import Clip, Group
from data_tools.dataset import Dataset
from data_tools.licences import allows_products
from data_tools.phones import PHONES, plain
from data_tools.pool import CUT
from data_tools.pronounce import Phones, pronounce, words_of
from data_tools.read_corpora import find_corpus, read_corpus
from data_tools.tables import Tables
from wakeword.errors import WakewordError

SYMBOLS = ("_", *PHONES)  # the phone head's columns; first the blank of CTC
LONGEST_S = 8.0  # longer utterances do not fit into a scene


@dataclass(frozen=True)
class TranscriptSpec:
    """What to learn phones from."""

    shared: bool = False  # the shared data folder (WAKEWORD_DATA)
    datasets: tuple[str, ...] = ()  # dataset folders whose clips have transcripts
    # Fetched ones by name, as in "librispeech-train-clean-100" (wakeword data fetch), or folders
    # of LibriSpeech or Common Voice; their dev speakers validate, their test speakers are left out.
    corpora: tuple[str, ...] = ()
    corpus_hours: float = 100.0  # at most, of each split of a corpus: 115 MB an hour on the disk
    language: str = "en"  # of the transcripts
    products_only: bool = False  # only what a product's model may learn from
    without_phrases: tuple[str, ...] = ()  # synthetic clips of these phrases are left out
    validation_share: float = 0.06  # of the speakers

    def __post_init__(self) -> None:
        if not self.shared and not self.datasets and not self.corpora:
            raise ValueError(
                "nothing to learn from: set shared = true, or give datasets or corpora"
            )


@dataclass(frozen=True)
class Transcribed:
    """Clips, each with its phones, and what surrounds them; divided by speaker."""

    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    surroundings: tuple[Clip, ...]  # noises and rooms
    phones: dict[str, Phones]  # of each clip by id


def gather(spec: TranscriptSpec, beside: Path) -> Transcribed:
    """All clips with a pronounceable transcript; ``beside`` is the recipe's folder."""
    train, validation, surroundings = [], [], []
    phones: dict[str, Phones] = {}
    for clip, said in _spoken(spec, beside):
        if spec.products_only and not clip.commercial_use:
            continue
        if clip.label in ("background", "rir"):
            surroundings.append(clip)
        elif said:
            phones[clip.id] = said
            (validation if _is_aside(clip, spec) else train).append(clip)
    if not train or not validation:
        raise WakewordError(
            f"{len(train)} transcribed clips to learn phones from, {len(validation)} kept aside; "
            "both are needed: give datasets with transcripts by several speakers"
        )
    return Transcribed(tuple(train), tuple(validation), tuple(surroundings), phones)


def _spoken(spec: TranscriptSpec, beside: Path) -> Iterator[tuple[Clip, Phones]]:
    left_out = {phrase.lower() for phrase in spec.without_phrases}
    if spec.shared:
        tables = Tables.open()
        licences = {clip.path: clip.licence for clip in tables.speech()}
        for u in tables.utterances("train"):
            if u.end_s - u.start_s <= LONGEST_S:
                said = plain([phone for word in u.phones for phone in word])
                path = f"{u.path}{CUT}{u.start_s},{u.end_s}"
                clip = Clip(
                    id=f"{Path(u.path).name}{CUT}{u.start_s},{u.end_s}",
                    path=path,
                    label="negative",
                    origin="corpus",
                    speaker=u.speaker,
                    transcript=u.transcript,
                    licence=licences[u.path],
                    commercial_use=allows_products(licences[u.path]),
                    split="train",
                    duration_s=u.end_s - u.start_s,
                    group=Group(sex=u.sex),
                )
                yield clip, known(said) or phones_of(u.transcript)
        for clip in tables.tts("", "train"):
            if (clip.phrase or "").lower() not in left_out:
                yield _negative(clip), phones_of(clip.transcript or "")
        for clip in (*tables.noise("train"), *tables.rirs("train")):
            yield clip, ()
    for folder in spec.datasets:
        dataset = Dataset.open(beside / folder)
        for clip in dataset.clips():
            if clip.split != "test" and (clip.phrase or "").lower() not in left_out:
                clip = _negative(clip, str(dataset.path(clip).resolve()))
                yield clip, phones_of(clip.transcript or "", spec.language)
    for name in spec.corpora:
        for clip in read_corpus(find_corpus(name, beside), LONGEST_S, spec.corpus_hours):
            if clip.split != "test":
                yield clip, phones_of(clip.transcript or "", spec.language)


def _negative(clip: Clip, path: str | None = None) -> Clip:
    """A clip as an utterance like any other: nobody's wake phrase."""
    label = "negative" if clip.label == "positive" else clip.label
    return replace(clip, label=label, path=path or clip.path)


def phones_of(text: str, language: str = "en") -> Phones:
    """The usual pronunciation of a text; () if a word of it can't be pronounced."""
    try:
        return tuple(phone for word in words_of(text) for phone in pronounce(word, language)[0])
    except WakewordError:
        return ()


def known(phones: Iterable[str]) -> Phones:
    """The phones themselves, or () if one of them is no ARPAbet phone (a noise, an error tag)."""
    phones = tuple(phones)
    return phones if all(phone in PHONES for phone in phones) else ()


def _is_aside(clip: Clip, spec: TranscriptSpec) -> bool:
    if clip.split == "validation":
        return True
    if clip.origin == "tts" or clip.speaker is None:
        return False
    draw = int.from_bytes(hashlib.sha256(clip.speaker.encode()).digest()[:4], "big") / 2**32
    return draw < spec.validation_share
