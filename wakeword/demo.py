"""``wakeword demo``: the shipped bundle at work, on a recording whose truth is known, or live."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, read_file
from wakeword.bundle import DEFAULT_NAME
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.display import Display
from wakeword.spec import parse, read_json

RECORDING = Path(__file__).parent / "recordings" / "robert_turn_on.flac"
LATE_S = 1.0  # a detection counts for a phrase until this long after its end


@dataclass(frozen=True)
class Said:
    """Something that is said in the recording."""

    start_s: float
    end_s: float
    text: str
    voice: str
    distance_m: float
    wake: bool


@dataclass(frozen=True)
class Truth:
    """The recording's truth."""

    phrase: str
    said: tuple[Said, ...]


@dataclass
class Tally:
    """Detections against the truth."""

    truth: Truth
    heard: dict[float, float] = field(default_factory=dict)  # phrase's start -> latency
    false: list[Detection] = field(default_factory=list)

    def judge(self, detection: Detection) -> str:
        """Note a detection; returns what to print of it."""
        for said in self.truth.said:
            if said.wake and said.start_s <= detection.time_s <= said.end_s + LATE_S:
                if said.start_s in self.heard:
                    break
                latency_s = detection.time_s - said.end_s
                self.heard[said.start_s] = latency_s
                return f"✓ heard   score {detection.score:.2f}, {latency_s:+.2f} s from its end"
        self.false.append(detection)
        return f"✗ false   score {detection.score:.2f}: nobody said it here"

    @property
    def missed(self) -> list[Said]:
        """The phrases that were said and not heard."""
        return [s for s in self.truth.said if s.wake and s.start_s not in self.heard]


@click.command()
@click.option("--fast", is_flag=True, help="As fast as this machine can, not in real time.")
@click.option("--mic", is_flag=True, help="Listen to you, through the microphone, until Ctrl-C.")
@click.option("--device", metavar="NAME", help="With --mic: which microphone (`wakeword devices`).")
def demo(fast: bool, mic: bool, device: str | None) -> int:
    """Hear the shipped bundle at work.

    A minute in a kitchen: two people read aloud, near misses are said, and "Robert turn on" by
    three voices that the model never met, near and far. Exit status 1 if it misses one or wakes
    falsely.
    """
    if mic:
        if fast:
            raise click.UsageError("--fast is for the recording; a microphone has its own pace")
        from wakeword.listen import listen

        arguments = ["--device", device] if device else []
        return int(listen.main(arguments, prog_name="wakeword listen", standalone_mode=False) or 0)
    if device:
        raise click.UsageError("--device goes with --mic")
    truth = parse(Truth, read_json(RECORDING.with_suffix(".json")), str(RECORDING))
    detector = Detector.load(DEFAULT_NAME)
    tally = Tally(truth)
    cpu_s = _play(detector, tally, fast)
    return _summary(detector, tally, cpu_s)


def _play(detector: Detector, tally: Tally, fast: bool) -> float:
    """Push the recording through, telling what happens; returns the detector's CPU seconds."""
    audio = read_file(RECORDING)
    display = Display(detector, plain_every_s=5.0)
    still_to_say = list(tally.truth.said)
    cpu_s = 0.0
    started = time.monotonic()
    try:
        for start in range(0, len(audio), STEP_SAMPLES):
            block = audio[start : start + STEP_SAMPLES]
            if not fast:
                time.sleep(max(0.0, started + start / SAMPLE_RATE - time.monotonic()))
            before = time.process_time()
            detections = detector.push(block)
            cpu_s += time.process_time() - before
            display.update(block)
            while still_to_say and still_to_say[0].end_s <= detector.time_s:
                said = still_to_say.pop(0)
                who = f"{said.voice}, {said.distance_m:g} m"
                display.say(f'{said.start_s:6.1f} s  "{said.text}"  {who}')
            for detection in detections:
                display.say(f"{detection.time_s:6.1f} s    {tally.judge(detection)}")
    finally:
        display.close()
    return cpu_s


def _summary(detector: Detector, tally: Tally, cpu_s: float) -> int:
    phrases = [s for s in tally.truth.said if s.wake]
    missed, audio_s = tally.missed, detector.time_s
    latency = f"{statistics.median(tally.heard.values()):+.2f} s" if tally.heard else "-"
    click.echo(
        f'\n"{tally.truth.phrase}" was said {len(phrases)} times in {audio_s:.0f} s: '
        f"{len(tally.heard)} heard, {len(missed)} missed, {len(tally.false)} false\n"
        f"gate open {detector.open_s / audio_s:.0%} of the time; "
        f"CPU {cpu_s / audio_s:.4f} s per second of audio; "
        f"median latency {latency} from the end of the phrase"
    )
    for said in missed:
        click.echo(f"missed: {said.voice} at {said.start_s:.1f} s, {said.distance_m:g} m away")
    return 1 if missed or tally.false else 0
