"""What a speaker is asked to say, in which order, and what is still to do."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data_tools.clip import Clip
from wakeword.errors import SpecError
from wakeword.spec import parse, read_toml

KINDS = ("phrase", "near_miss", "free_speech", "room_tone")
LABELS = {
    "phrase": "positive",
    "near_miss": "negative",
    "free_speech": "negative",
    "room_tone": "background",
}
ROOM_TONE = "(silence)"

# How to say the phrase, in turn: a model must not learn one manner only.
MANNERS = (
    "as you normally would",
    "a little faster",
    "quietly",
    "as if calling across the room",
    "slowly",
    "from two steps further away",
    "as if you were in a hurry",
    "with your head turned away",
)
FREE_SPEECH = (
    "Please tell in your own words what you did this morning.",
    "Please describe the room that you are in.",
    "Please read aloud: The light in the kitchen was still on when we came home, "
    "so somebody must have turned it on and forgotten it.",
)


@dataclass(frozen=True)
class Prompt:
    """One thing to record."""

    kind: str  # one of KINDS
    text: str  # what to say; for room tone nothing is said
    manner: str = ""  # how to say it
    max_s: float = 6.0  # the recording ends then at the latest

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}; expected one of {', '.join(KINDS)}")
        if not self.text.strip():
            raise ValueError("text is empty")
        if not 1.0 <= self.max_s <= 120.0:
            raise ValueError(f"max_s = {self.max_s:g}; expected 1 to 120")

    @property
    def label(self) -> str:
        """The label of a clip of this prompt."""
        return LABELS[self.kind]

    @property
    def transcript(self) -> str | None:
        """The words of a take, where they are known beforehand."""
        return self.text if self.kind in ("phrase", "near_miss") else None


@dataclass(frozen=True)
class Plan:
    """The prompts of one session, in order."""

    prompts: tuple[Prompt, ...]

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ValueError("a plan without prompts")

    @property
    def phrases(self) -> list[str]:
        """The wake phrases that it asks for, each once."""
        return list(dict.fromkeys(p.text for p in self.prompts if p.kind == "phrase"))


def default_plan(phrase: str, count: int = 20, near_misses: Iterable[str] = ()) -> Plan:
    """``count`` takes of the phrase in changing manners, near misses among them.

    First the silent room, so that the noise is known; free speech at the end, when the speaker has
    warmed to it. A near miss follows every second take of the phrase while there are any.
    """
    prompts = [Prompt("room_tone", ROOM_TONE, "say nothing for five seconds", max_s=5.0)]
    misses = list(near_misses)
    for number in range(count):
        prompts.append(Prompt("phrase", phrase, MANNERS[number % len(MANNERS)]))
        if number % 2 and misses:
            prompts.append(Prompt("near_miss", misses.pop(0)))
    prompts += [Prompt("free_speech", text, max_s=20.0) for text in FREE_SPEECH]
    return Plan(tuple(prompts))


def read_plan(path: str | Path) -> Plan:
    """A plan from TOML: a ``[[prompts]]`` table for each, with kind, text, manner, max_s."""
    table = read_toml(path)
    if not table.get("prompts"):
        raise SpecError(f"{path}: no prompts; expected [[prompts]] tables with kind and text")
    return parse(Plan, table, str(path))


def takes_by_prompt(plan: Plan, clips: Iterable[Clip], speaker: str) -> list[Clip | None]:
    """For each prompt of the plan the speaker's take of it, or None where there is none yet.

    Prompts that ask for the same are served in order; takes beyond the plan are left out.
    """
    takes: dict[tuple[str, str | None], deque[Clip]] = defaultdict(deque)
    for clip in clips:
        if clip.speaker == speaker:
            takes[clip.label, clip.prompt].append(clip)
    waiting = (takes[prompt.label, prompt.text] for prompt in plan.prompts)
    return [queue.popleft() if queue else None for queue in waiting]


def remaining(plan: Plan, clips: Iterable[Clip], speaker: str) -> list[Prompt]:
    """The prompts that this speaker has not recorded yet, in order."""
    takes = takes_by_prompt(plan, clips, speaker)
    return [prompt for prompt, take in zip(plan.prompts, takes, strict=True) if take is None]
