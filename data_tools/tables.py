"""The shared data folder: CSV tables of real speech, noise, rooms and synthetic clips, as clips.

Its place is ``WAKEWORD_DATA``, or ``../shared/data`` beside the project. Its README says what each
table holds; here the rows become :class:`~data_tools.clip.Clip` with absolute paths.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools.clip import Clip, Group
from data_tools.licences import allows_products
from data_tools.pronounce import words_of
from wakeword.errors import WakewordError

# label -> phrase, where they differ
PHRASES = {"robert_turn_on": "Robert turn on", "smart_mirror": "smart mirror"}
NOT_WAKE = "not_wake_words_"  # of wake.csv's phrases: what is said in place of one
SPEECH_SNR_DB = 10  # under this a wake recording holds no speech; the next has 28 dB


@dataclass(frozen=True)
class Utterance:
    """A transcribed stretch of a speech file."""

    path: str  # absolute
    split: str
    start_s: float
    end_s: float
    speaker: str
    age: int | None
    sex: str | None
    transcript: str  # in capitals
    phones: tuple[tuple[str, ...], ...]  # ARPAbet with stress, a tuple a word; () where unknown


def shared_folder() -> Path | None:
    """The folder of the shared data; None where there is none."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WAKEWORD_DATA", default))
    return folder.resolve() if (folder / "speech.csv").exists() else None


class Tables:
    """The tables of one shared data folder. Every method gives clips with absolute paths."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).resolve()

    @classmethod
    def open(cls, folder: str | Path | None = None) -> Tables:
        """The tables of ``folder``, or of the default place; WakewordError if it is not there."""
        found = shared_folder() if folder is None else Path(folder)
        if found is None or not (found / "speech.csv").exists():
            raise WakewordError(
                f"{found or 'WAKEWORD_DATA'}: no shared data (no speech.csv); "
                "set WAKEWORD_DATA to its folder"
            )
        return cls(found)

    def speech(self, split: str | None = None) -> list[Clip]:
        """Real people, none of whom says a wake phrase: negatives, up to minutes each.

        ``speaker`` is None for files of single words by many people.
        """
        return [
            self._clip(
                row,
                "negative",
                "corpus",
                speaker=None if ":many" in row["speaker"] else row["speaker"],
            )
            for row in self._rows("speech.csv", split)
        ]

    def noise(self, split: str | None = None) -> list[Clip]:
        """Real places, machines and music: backgrounds."""
        return [
            self._clip(row, "background", "corpus", transcript=row["note"].partition(";")[0])
            for row in self._rows("noise.csv", split)
        ]

    def rirs(self, split: str | None = None, kinds: Iterable[str] = ()) -> list[Clip]:
        """Impulse responses; ``group.room`` is the kind: room_real, device, simulated."""
        kinds = tuple(kinds)
        return [
            self._clip(row, "rir", "corpus", group=Group(room=row["kind"]))
            for row in self._rows("rir.csv", split)
            if not kinds or row["kind"] in kinds
        ]

    def tts(self, phrase: str, split: str | None = None) -> list[Clip]:
        """Synthetic clips, labelled for one phrase: all that do not say it are negatives.

        Clips that say it within something longer ("computer turn on") are neither, and left out.
        ``speaker`` is the human behind the voice, ``voice`` the voice with its warp.
        """
        clips = []
        for row in self._rows("tts.csv", split):
            says = PHRASES.get(row["label"], None if row["label"] == "negative" else row["label"])
            if words_of(row["text"]) == words_of(phrase):
                says = phrase  # one phrase's near miss may be another's phrase
            if says != phrase and _holds(row["text"], phrase):
                continue
            clip = self._clip(
                row,
                "positive" if says == phrase else "negative",
                "tts",
                phrase=says,
                transcript=row["text"],
                speaker=row["human"],
                engine=row["engine"],
                voice=row["speaker"],
                group=Group(sex=row["sex"].strip("?") or None, accent=row["accent"] or None),
            )
            if row["commercial_use"] != "yes":
                clip = replace(clip, commercial_use=False)
            clips.append(clip)
        return clips

    def wake(self, phrase: str, replays: bool = False) -> list[Clip]:
        """Real people saying a wake phrase; one clip of each replay group unless ``replays``."""
        who = {row["path"]: row for row in self._rows("speakers.csv")}
        clips, seen = [], set()
        for row in self._rows("wake.csv"):
            about = who.get(row["path"])
            if _joined(row["phrase"]) != _joined(phrase):
                continue
            if about and float(about["snr_db"]) < SPEECH_SNR_DB:
                continue
            if about and about["replay_group"] and not replays:
                if about["replay_group"] in seen:
                    continue
                seen.add(about["replay_group"])
            clip = self._clip(row, "positive", "corpus", phrase=phrase, transcript=phrase)
            if about:
                clip = replace(
                    clip,
                    speaker=about["speaker"],
                    speech_start_s=float(about["speech_start_s"]),
                    speech_end_s=float(about["speech_end_s"]),
                )
            clips.append(clip)
        return clips

    def near_misses(self, phrase: str) -> list[Clip]:
        """Real people saying what sounds like a wake phrase. Who they are is not known."""
        begin = f"{NOT_WAKE}{_joined(phrase)}_"
        clips = []
        for row in self._rows("wake.csv"):
            if row["phrase"].startswith(begin):
                said = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", row["phrase"].removeprefix(begin))
                clips.append(self._clip(row, "negative", "corpus", prompt=said))
        return clips

    def utterances(self, split: str | None = None) -> list[Utterance]:
        """The transcribed stretches of the speech files."""
        return [
            Utterance(
                path=str(self.folder / row["path"]),
                split=row["split"],
                start_s=float(row["start_s"]),
                end_s=float(row["end_s"]),
                speaker=row["speaker"],
                age=int(row["age"]) if row["age"] else None,
                sex=row["sex"] or None,
                transcript=row["transcript"],
                phones=tuple(
                    tuple(word.split()) for word in row["phones"].split("|") if word.strip()
                ),
            )
            for row in self._rows("speech_transcripts.csv", split)
        ]

    def _rows(self, table: str, split: str | None = None) -> list[dict[str, str]]:
        path = self.folder / table
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except OSError as error:
            raise WakewordError(f"{path}: cannot be read: {error.strerror}") from None
        return [row for row in rows if split is None or row["split"] == split]

    def _clip(self, row: dict[str, str], label: str, origin: str, **fields: object) -> Clip:
        return Clip(
            id=row["path"],
            path=str(self.folder / row["path"]),
            label=label,
            origin=origin,
            licence=row["licence"],
            commercial_use=allows_products(row["licence"]),
            split=row.get("split"),
            duration_s=float(row["duration_s"]),
            **fields,  # type: ignore[arg-type]
        )


def _joined(text: str) -> str:
    """A phrase as some tables spell it: heysavant."""
    return "".join(words_of(text))


def _holds(text: str, phrase: str) -> bool:
    """Whether a text says the phrase somewhere, word by word."""
    said, words = (re.findall(r"[^\W_]+(?:'\w+)?", t.casefold()) for t in (text, phrase))
    return any(said[i : i + len(words)] == words for i in range(len(said)))


def for_products(clips: Iterable[Clip]) -> list[Clip]:
    """Those clips that a product's model may learn from."""
    return [clip for clip in clips if clip.commercial_use]
