"""Studio: the speakers at work on one dataset and one plan, each with a session of their own."""

from __future__ import annotations

import shutil
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_tools.clip import Clip, Group
from data_tools.consent import agree, consent_text
from data_tools.dataset import CannotWriteError, Dataset
from data_tools.forget import forget
from data_tools.plan import Plan
from data_tools.session import Session, judge
from data_tools.takes import Problem, TakeReport
from data_tools.web.speakers import Speaker, Speakers, clean_name
from data_tools.web.upload import RefusedError, decode
from wakeword.errors import SpecError
from wakeword.spec import parse

MAX_SPEAKERS = 500
JOINS_PER_MINUTE = 120  # of all together: a hall full of people
UPLOADS_PER_MINUTE = 40  # of one speaker: a take of the phrase lasts longer than 1.5 s
SPARE_TAKES = 50  # more than the plan asks for: redone takes are replaced, so few are needed
MIN_FREE_BYTES = 200_000_000
LONGEST_ANSWER = 60  # characters
FARTHEST_M = 20.0
# Not even when the speaker insists: such a take would teach the opposite of its label.
NEVER_KEPT = ("muted", "no_speech", "not_quiet")


@dataclass(frozen=True)
class Event:
    """Something that the host should see."""

    what: str  # joined, kept, not kept, deleted, erased
    speaker: str
    detail: str = ""
    done: int = 0  # prompts of the plan that have a take
    of: int = 0


class Studio:
    """What the page may ask for. Every method may be called from any thread."""

    def __init__(self, dataset: Dataset, plan: Plan, tell: Callable[[Event], None]):
        self.dataset = dataset
        self.plan = plan
        self.speakers = Speakers(dataset.folder)
        self._tell = tell
        self._lock = threading.RLock()
        self._joins = _Rate(JOINS_PER_MINUTE)
        self._uploads = _Rate(UPLOADS_PER_MINUTE)

    def speaker(self, secret: str | None) -> Speaker:
        """Whose secret this is; RefusedError 403 if it is nobody's."""
        with self._lock:
            speaker = self.speakers.of(secret)
        if speaker is None:
            raise RefusedError(403, "not_joined", "join first: agree, and choose a name")
        return speaker

    def state(self, secret: str | None) -> dict[str, Any]:
        """What the page starts from: the plan, and of this speaker what is done."""
        with self._lock:
            speaker = self.speakers.of(secret)
            prompts = [asdict(prompt) for prompt in self.plan.prompts]
            about = speaker and {
                "name": speaker.name,
                "group": asdict(speaker.group),
                "agreed": speaker.consent.version == self.dataset.info.consent_version,
            }
            return {"prompts": prompts, "speaker": about, **self._progress(speaker)}

    def consent(self, language: str) -> dict[str, Any]:
        """The consent text, with its version."""
        version = self.dataset.info.consent_version
        return {"version": version, **asdict(consent_text(language, version))}

    def join(self, secret: str | None, answers: Mapping[str, Any]) -> tuple[Speaker, str]:
        """A speaker agrees and gives a name; one who is known changes the answers.

        ``answers``: ``consent_version`` of the text that was agreed to, ``name``, ``group``.
        """
        version = self.dataset.info.consent_version
        if answers.get("consent_version") != version:
            raise RefusedError(
                409, "consent", f"the consent text of version {version!r} must be agreed to first"
            )
        group = _group(answers.get("group"))
        with self._lock:
            speaker = self.speakers.of(secret)
            if speaker is not None and secret is not None:
                consent = speaker.consent if speaker.consent.version == version else agree(version)
                return self.speakers.change(speaker, consent, group), secret
            name = answers.get("name")
            name = clean_name(name) if isinstance(name, str) else ""
            if not name:
                raise RefusedError(422, "no_name", "a name is needed; it need not be the real one")
            if len(self.speakers) >= MAX_SPEAKERS:
                raise RefusedError(429, "full", f"{MAX_SPEAKERS} speakers have joined already")
            self._joins.count("")
            taken = {c.speaker for c in self.dataset.clips() if c.speaker}
            speaker, secret = self.speakers.join(name, agree(version), group, taken)
        self._tell(Event("joined", speaker.name, _shown(group), of=len(self.plan.prompts)))
        return speaker, secret

    def longest_s(self, number: int) -> float:
        """How long a take of this prompt may be; RefusedError 404 if there is no such prompt."""
        if not 0 <= number < len(self.plan.prompts):
            raise RefusedError(404, "no_prompt", f"no prompt {number}")
        return self.plan.prompts[number].max_s

    def check_may_upload(self, speaker: Speaker) -> None:
        """RefusedError before anything is received: no consent, too fast, too much, no room."""
        if speaker.consent.version != self.dataset.info.consent_version:
            raise RefusedError(403, "consent", "the consent text has changed; please read it again")
        with self._lock:
            self._uploads.count(speaker.name)
            mine = sum(c.speaker == speaker.name for c in self.dataset.clips())
        if mine >= len(self.plan.prompts) + SPARE_TAKES:
            raise RefusedError(429, "too_many", f"{mine} takes are kept already; delete some first")
        if shutil.disk_usage(self.dataset.folder).free < MIN_FREE_BYTES:
            raise _disk_refusal("disk nearly full")

    def take(
        self, speaker: Speaker, number: int, body: bytes, instead_of: str | None, anyway: bool
    ) -> dict[str, Any]:
        """Decode, judge and keep a take of prompt ``number``, if it is good or ``anyway``."""
        prompt = self.plan.prompts[number]
        samples = decode(body, self.longest_s(number))
        report = judge(prompt, samples)
        never = any(problem.code in NEVER_KEPT for problem in report.problems)
        kept = (report.good or anyway) and not never
        with self._lock:
            if kept:
                # The speaker may have had everything deleted while this was on its way.
                if not self.speakers.knows(speaker):
                    raise RefusedError(403, "not_joined", "this speaker's recordings were deleted")
                try:
                    self._session(speaker).keep(prompt, samples, report, instead_of)
                except CannotWriteError as error:
                    raise _disk_refusal(error.reason) from None
            progress = self._progress(speaker)
        detail = f'"{prompt.text}"' if prompt.kind != "room_tone" else "room tone"
        self._tell_progress("kept" if kept else "not kept", speaker, f"{detail} {_judged(report)}")
        problems = [_problem(problem) for problem in report.problems]
        return {"kept": kept, "may_insist": not never, "problems": problems, **progress}

    def audio(self, speaker: Speaker, clip_id: str) -> Path:
        """Where one of the speaker's own takes lies; RefusedError 404 for any other."""
        with self._lock:
            for clip in self.dataset.clips():
                if clip.id == clip_id and clip.speaker == speaker.name:
                    return self.dataset.path(clip)
        raise RefusedError(404, "no_take", "no such take of yours")

    def delete(self, speaker: Speaker, clip_id: str) -> dict[str, Any]:
        """Delete one of the speaker's own takes: its line and its audio."""
        with self._lock:
            if not self._session(speaker).delete([clip_id]):
                raise RefusedError(404, "no_take", "no such take of yours")
            progress = self._progress(speaker)
        self._tell_progress("deleted", speaker, "one take")
        return progress

    def erase(self, speaker: Speaker) -> int:
        """Delete audio, lines, name and secret, and features that lie in the dataset's folder.

        How many takes there were.
        """
        with self._lock:
            gone = len(forget(self.dataset, speaker.name, [self.dataset.folder], False).clips)
        detail = f"all {gone} takes; features made from them elsewhere: build them again"
        self._tell(Event("erased", speaker.name, detail, of=len(self.plan.prompts)))
        return gone

    def _session(self, speaker: Speaker) -> Session:
        return Session(self.dataset, self.plan, speaker.name, speaker.consent, speaker.group)

    def _progress(self, speaker: Speaker | None) -> dict[str, Any]:
        """The take of each prompt (id or None), and all takes of the speaker."""
        if speaker is None:
            return {"takes": [None] * len(self.plan.prompts), "recordings": []}
        takes = self._session(speaker).takes()
        mine = [c for c in self.dataset.clips() if c.speaker == speaker.name]
        return {
            "takes": [take.id if take else None for take in takes],
            "recordings": [_recording(clip) for clip in mine],
        }

    def _tell_progress(self, what: str, speaker: Speaker, detail: str) -> None:
        with self._lock:
            takes = self._session(speaker).takes()
        done = sum(take is not None for take in takes)
        self._tell(Event(what, speaker.name, detail, done, len(takes)))


class _Rate:
    """So many a minute, for each key."""

    def __init__(self, per_minute: int):
        self.per_minute = per_minute
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def count(self, key: str) -> None:
        """One more; RefusedError 429 if that is too many."""
        now, times = time.monotonic(), self._times[key]
        while times and times[0] < now - 60:
            times.popleft()
        if len(times) >= self.per_minute:
            raise RefusedError(
                429, "too_fast", f"more than {self.per_minute} in a minute; please wait a little"
            )
        times.append(now)


def _group(answers: object) -> Group:
    """The optional answers, checked; RefusedError 422 if one makes no sense."""
    if not isinstance(answers, Mapping):
        answers = {}
    given = {k: clean_name(v) if isinstance(v, str) else v for k, v in answers.items()}
    given = {k: v for k, v in given.items() if v not in (None, "")}
    if any(isinstance(v, str) and len(v) > LONGEST_ANSWER for v in given.values()):
        raise RefusedError(422, "answers", f"an answer of more than {LONGEST_ANSWER} characters")
    try:
        group = parse(Group, given, "your answers")
    except SpecError as error:
        raise RefusedError(422, "answers", str(error)) from None
    if group.distance_m is not None and not 0 < group.distance_m <= FARTHEST_M:
        raise RefusedError(
            422, "answers", f"distance_m = {group.distance_m:g}; expected 0 to {FARTHEST_M:g}"
        )
    return group


def _disk_refusal(reason: str) -> RefusedError:
    return RefusedError(507, "disk_full", f"the host cannot save it ({reason}); tell the host")


def _recording(clip: Clip) -> dict[str, Any]:
    return {"id": clip.id, "prompt": clip.prompt or clip.transcript, "duration_s": clip.duration_s}


def _problem(problem: Problem) -> dict[str, str]:
    return problem._asdict()


def _judged(report: TakeReport) -> str:
    snr = f", {report.snr_db:.0f} dB SNR" if report.snr_db is not None else ""
    wrong = "".join(f"; {problem.what}" for problem in report.problems)
    return f"{report.duration_s:.1f} s{snr}{wrong}"


def _shown(group: Group) -> str:
    return ", ".join(str(v) for v in asdict(group).values() if v is not None)
