"""Session: one speaker at work on a plan. The terminal and the recording page keep takes by it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from data_tools.clip import Clip, Consent, Group, samples_sha256
from data_tools.dataset import Dataset
from data_tools.plan import Plan, Prompt, takes_by_prompt
from data_tools.takes import PROBLEMS, TakeReport, check_take
from wakeword.audio import Int16

LICENCE = "consent of the speaker, text {version}"
SHORTEST_S = 0.25  # of speech
FASTEST_S, SLOWEST_S = 0.02, 0.25  # of a letter
ROOM_TONE_SNR_DB = 15.0  # what stands out of the room by more is somebody speaking


@dataclass(frozen=True)
class Session:
    """One speaker at work on a plan. Nothing is kept here; the dataset knows what is done."""

    dataset: Dataset
    plan: Plan
    speaker: str
    consent: Consent  # without it there is no session
    group: Group = field(default_factory=Group)

    def takes(self) -> list[Clip | None]:
        """For each prompt of the plan the speaker's take, or None while there is none."""
        return takes_by_prompt(self.plan, self.dataset.clips(), self.speaker)

    def keep(
        self, prompt: Prompt, samples: Int16, report: TakeReport, instead_of: str | None = None
    ) -> Clip:
        """Write (n,) int16 at 16 kHz and its line; the clip as it stands in the dataset.

        ``instead_of`` is the id of the speaker's earlier take that this one replaces: it goes
        after the new one is safe. The same samples again are the same take.
        """
        same = (self.speaker, prompt.text, samples_sha256(samples))
        earlier = (c for c in self.dataset.clips() if (c.speaker, c.prompt, c.sha256) == same)
        clip = next(earlier, None) or self.dataset.add(samples, self._clip(prompt, report))
        if instead_of and instead_of != clip.id:
            self.delete([instead_of])
        return clip

    def delete(self, ids: list[str] | None = None) -> list[Clip]:
        """Delete these takes of the speaker, or all of them; another's are never touched."""
        own = [c.id for c in self.dataset.clips() if c.speaker == self.speaker]
        return self.dataset.remove([i for i in own if ids is None or i in ids])

    def _clip(self, prompt: Prompt, report: TakeReport) -> Clip:
        return Clip(
            id=f"{prompt.kind}-{secrets.token_hex(6)}",
            path="",
            label=prompt.label,
            origin="recorded",
            phrase=prompt.text if prompt.kind == "phrase" else None,
            transcript=prompt.transcript,
            prompt=prompt.text,
            speaker=self.speaker,
            group=self.group,
            licence=LICENCE.format(version=self.consent.version),
            commercial_use=True,  # the consent text says so
            consent=self.consent,
            speech_start_s=_rounded(report.speech_start_s),
            speech_end_s=_rounded(report.speech_end_s),
        )


def judge(prompt: Prompt, samples: Int16) -> TakeReport:
    """Is (n,) int16 at 16 kHz a good take of the prompt?"""
    if prompt.kind == "room_tone":
        report = check_take(samples, speech=False)
        return _with(report, "not_quiet") if _is_spoken_in(samples) else report
    report = check_take(samples, speech_range_s(prompt))
    if prompt.kind == "free_speech":
        # Whoever has more to say than there is time for has done nothing wrong.
        problems = tuple(p for p in report.problems if p.code != "cut_end")
        report = replace(report, problems=problems)
    return report


def speech_range_s(prompt: Prompt) -> tuple[float, float]:
    """Between which lengths the prompt can be said, once, by whoever speaks fast or slowly."""
    if prompt.kind == "free_speech":
        return SHORTEST_S, prompt.max_s
    n = len(prompt.text.encode())  # about one a sound: a Korean syllable has three
    return max(SHORTEST_S, FASTEST_S * n), min(1.0 + SLOWEST_S * n, prompt.max_s)


def _with(report: TakeReport, code: str) -> TakeReport:
    return replace(report, problems=(PROBLEMS[code], *report.problems))


def _is_spoken_in(samples: Int16) -> bool:
    """Whether a voice stands out of the room's sound; a steady noise is no voice."""
    report = check_take(samples)
    snr_db = report.snr_db
    return snr_db is not None and snr_db > ROOM_TONE_SNR_DB


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
