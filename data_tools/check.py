"""Is a dataset fit to train on: manifest, files, every clip's sound, duplicates, split leaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from data_tools.clip import Clip, samples_sha256
from data_tools.dataset import Dataset
from data_tools.splits import leaks
from data_tools.takes import REDO, TakeReport, check_take
from wakeword.audio import SAMPLE_RATE, Int16, read_file
from wakeword.errors import AudioError

MEND, NOTE = "mend", "note"
AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3")
# Trimmed clips begin and end with speech, and corpora and engines are as quiet as they are.
NOT_OF_TRIMMED = ("cut_start", "cut_end", "too_quiet")


class Finding(NamedTuple):
    """One thing that is wrong."""

    clip: str  # its id; "" for the dataset as a whole
    severity: str  # MEND or NOTE
    what: str  # and the cure


def check_manifest(dataset: Dataset) -> list[Finding]:
    """What can be said without listening: damage, duplicates, leaks, consent, files too many."""
    clips = dataset.clips()
    found = [Finding("", MEND, line) for line in dataset.damage()]
    found += [
        Finding("", MEND, f"{leak}; run: wakeword data split {dataset.folder} --again")
        for leak in leaks(clips)
    ]
    same: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.sha256:
            same[clip.sha256].append(clip)
    for copies in same.values():
        for copy in copies[1:]:
            found.append(
                Finding(copy.id, MEND, f"the same samples as {copies[0].id}; delete its line")
            )
    for clip in clips:
        if clip.origin == "recorded" and clip.speaker and not clip.consent:
            found.append(
                Finding(clip.id, MEND, f"no consent of {clip.speaker}; ask them, or forget them")
            )
        if clip.origin == "corpus" and not clip.licence:
            found.append(Finding(clip.id, NOTE, "no licence; no product may learn from it"))
    known = {dataset.path(clip).resolve() for clip in clips}
    for path in sorted((dataset.folder / "audio").rglob("*")):
        if path.suffix in AUDIO_SUFFIXES and path.resolve() not in known:
            found.append(Finding("", NOTE, f"{path}: not in the manifest; import it or delete it"))
    return found


def check_clip(dataset: Dataset, clip: Clip) -> tuple[list[Finding], TakeReport | None]:
    """Listen to one clip: what is wrong with it, and what was measured if it can be read."""
    try:
        samples = read_file(dataset.path(clip))
    except AudioError as error:
        return [Finding(clip.id, MEND, str(error))], None
    found = []
    if clip.sha256 and samples_sha256(samples) != clip.sha256:
        found.append(
            Finding(clip.id, MEND, f"{clip.path}: the audio was changed since; import it anew")
        )
    found += _format_findings(dataset, clip)
    report = measure(clip, samples)
    expected: tuple[str, ...] = NOT_OF_TRIMMED if clip.origin in ("tts", "corpus") else ()
    if clip.prompt and not clip.transcript:
        expected = ("cut_end",)  # free speech: the time was up
    for problem in report.problems:
        if problem.code not in expected:
            severity = MEND if problem.severity == REDO else NOTE
            found.append(Finding(clip.id, severity, f"{problem.what}; {problem.cure}"))
    return found, report


def measure(clip: Clip, samples: Int16) -> TakeReport:
    """The take's report, judged by what the clip is said to be."""
    if clip.label in ("background", "rir"):
        return check_take(samples, speech=False)
    longest_s = 8.0 if clip.label == "positive" else float("inf")
    return check_take(samples, (0.15, longest_s))


def check_clips(dataset: Dataset) -> Iterator[tuple[Clip, list[Finding], TakeReport | None]]:
    """Every clip in turn."""
    for clip in dataset.clips():
        yield clip, *check_clip(dataset, clip)


def _format_findings(dataset: Dataset, clip: Clip) -> list[Finding]:
    import soundfile

    about = soundfile.info(str(dataset.path(clip)))
    if (about.samplerate, about.channels) == (SAMPLE_RATE, 1):
        return []
    return [
        Finding(
            clip.id,
            NOTE,
            f"{clip.path}: {about.samplerate} Hz, {about.channels} channel(s), converted each time "
            "it is read; import it to keep it as 16 kHz mono",
        )
    ]
