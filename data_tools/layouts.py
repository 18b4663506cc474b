"""What folder names say about the clips in them.

Known layouts: ``positive/SPEAKER/*.wav`` and the like in any order; Mycroft Precise
(``wake-word``, ``not-wake-word``, ``test/...``); openWakeWord (``positive_train``,
``negative_test``, ``background_clips``, ``mit_rirs``); Speech Commands (``_background_noise_``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

LABEL_WORDS = {
    "positive": "positive",
    "positives": "positive",
    "wake-word": "positive",
    "wakeword": "positive",
    "negative": "negative",
    "negatives": "negative",
    "not-wake-word": "negative",
    "random": "negative",
    "background": "background",
    "background-noise": "background",
    "backgrounds": "background",
    "noise": "background",
    "noises": "background",
    "rir": "rir",
    "rirs": "rir",
    "mit-rirs": "rir",
}
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "validation": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
OTHER_WORDS = {"audio", "clips", "wav", "wavs", "data", "recordings", "samples"}


@dataclass(frozen=True)
class Said:
    """What the folders say; None where they say nothing."""

    label: str | None = None
    split: str | None = None
    speaker: str | None = None


def read_folders(path: Path, root: Path, phrase: str | None) -> Said:
    """What the folders between ``root`` (its own name too) and the file say.

    A folder named like the phrase holds positives. The innermost folder that is neither a label
    nor a split is the speaker.
    """
    label = split = speaker = None
    names = [root.name, *path.relative_to(root).parent.parts]
    for place, name in enumerate(names):
        words = _normal(name)
        if phrase and words == _normal(phrase):
            label = "positive"
            continue
        known = words in OTHER_WORDS
        for part in (words, *_halves(words)):
            if part in LABEL_WORDS:
                label, known = LABEL_WORDS[part], True
            elif part in SPLIT_WORDS:
                split, known = SPLIT_WORDS[part], True
        if not known and place > 0:
            speaker = name
    return Said(label, split, speaker)


def _normal(name: str) -> str:
    """Lower case, words joined by one dash."""
    return re.sub(r"[\s_-]+", "-", name.lower()).strip("-")


def _halves(words: str) -> list[str]:
    """``positive-train`` -> positive, train; ``background-clips`` -> background."""
    first, _, last = words.rpartition("-")
    if first in LABEL_WORDS and (last in SPLIT_WORDS or last in OTHER_WORDS):
        return [first, last]
    return []
