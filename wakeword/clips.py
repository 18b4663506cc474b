"""What the device heard, kept for its owner: only when switched on, with a cap in MB and days.

Each clip is ``ID.flac`` (16 kHz mono) with ``ID.json`` beside it, in a folder that only its owner
can read. There is no index: deleting the two files deletes all there is.
"""

from __future__ import annotations

import io
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, read_json, write_atomic

KINDS = ("wake", "near_miss")
LABELS = ("true", "false")  # the owner's: the phrase was said, or it was not
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class ClipsSpec:
    """``[clips]`` of the configuration. With nothing in ``keep``, nothing is ever written."""

    keep: tuple[str, ...] = ()  # of KINDS
    folder: str = "~/.local/share/wakeword/clips"
    before_s: float = 2.5  # of audio, before the end of the phrase
    after_s: float = 0.5
    near: float = 0.2  # a near miss peaks by less than this under the threshold
    max_mb: float = 50.0
    max_days: float = 14.0

    def __post_init__(self) -> None:
        for kind in self.keep:
            if kind not in KINDS:
                raise ValueError(f"keep has {kind!r}; expected any of {', '.join(KINDS)}")
        if min(self.before_s, self.after_s, self.max_mb, self.max_days) < 0 or self.before_s > 30:
            raise ValueError("before_s must be 0 to 30; after_s, max_mb, max_days not below 0")
        if not 0 < self.near < 1:
            raise ValueError(f"near is {self.near}; expected a part of the score, as in 0.2")

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder).expanduser()


@dataclass(frozen=True)
class KeptClip:
    """What is known about a clip."""

    id: str
    kind: str  # wake or near_miss
    name: str  # of the bundle
    phrase: str
    score: float  # when it fired, or at its peak
    at: str  # local time with its offset from UTC, ISO 8601
    seconds: float
    label: str | None = None  # true or false, once the owner has said


class ClipStore:
    """The folder of clips."""

    def __init__(self, folder: Path):
        self.folder = folder

    def clips(self) -> list[KeptClip]:
        """All, the oldest first; what is damaged is left out."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(parse(KeptClip, read_json(path), str(path)))
            except WakewordError:
                continue
        return found

    def get(self, clip_id: str) -> KeptClip:
        """One of them. Raises WakewordError."""
        for clip in self.clips():
            if clip.id == clip_id:
                return clip
        raise WakewordError(f"{self.folder}: no clip {clip_id!r}; `wakeword clips list` shows all")

    def audio(self, clip: KeptClip) -> Path:
        """Its audio file."""
        return self.folder / f"{clip.id}.flac"

    def add(self, clip: KeptClip, samples: Int16) -> None:
        """Write (n,) int16 at 16 kHz, then what is known about it."""
        import soundfile

        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        write_atomic(self.audio(clip), buffer.getvalue())
        self.write(clip)
        self.audio(clip).chmod(0o600)

    def write(self, clip: KeptClip) -> None:
        """Write what is known about it."""
        path = self.folder / f"{clip.id}.json"
        write_atomic(path, (json.dumps(asdict(clip), ensure_ascii=False) + "\n").encode())
        path.chmod(0o600)

    def erase(self, clip_id: str) -> None:
        """Delete both files."""
        for suffix in (".flac", ".json"):
            (self.folder / (clip_id + suffix)).unlink(missing_ok=True)

    def megabytes(self) -> float:
        """What all files in the folder take."""
        return sum(p.stat().st_size for p in self.folder.glob("*") if p.is_file()) / 1e6

    def keep_within(self, max_mb: float, max_days: float, now_s: float) -> int:
        """Erase the oldest until the rest fits; ``now_s`` as the files' times; how many went."""
        stems: dict[str, tuple[float, int]] = {}  # the time of the younger file, both sizes
        for path in self.folder.glob("*"):
            if path.suffix in (".flac", ".json"):
                stat = path.stat()
                age, size = stems.get(path.stem, (0.0, 0))
                stems[path.stem] = max(age, stat.st_mtime), size + stat.st_size
        total, gone = sum(size for _, size in stems.values()), 0
        for stem, (at_s, size) in sorted(stems.items(), key=lambda item: item[1][0]):
            if total <= max_mb * 1e6 and now_s - at_s <= max_days * SECONDS_A_DAY:
                break
            self.erase(stem)
            total, gone = total - size, gone + 1
        return gone

    def export(self, folder: Path) -> tuple[int, int]:
        """Write the labelled clips as a dataset for `wakeword train`; how many, and how many not.

        Raises WakewordError when none has a label, or the folder holds something.
        """
        if folder.exists() and any(folder.iterdir()):
            raise WakewordError(f"{folder}: is not empty; give a new folder")
        clips = self.clips()
        labelled = [c for c in clips if c.label in LABELS]
        if not labelled:
            raise WakewordError(
                f"none of {len(clips)} clips has a label yet; `wakeword clips label true ID...`"
            )
        lines = []
        for clip in labelled:
            said = clip.label == "true"
            audio = self.audio(clip).read_bytes()
            write_atomic(folder / "audio" / f"{clip.id}.flac", audio)
            line = {
                "id": clip.id,
                "path": f"audio/{clip.id}.flac",
                "label": "positive" if said else "negative",
                "origin": "device",
                **({"phrase": clip.phrase} if said else {}),
                "licence": "recorded at home; ask those who speak before passing it on",
                "commercial_use": False,
                "duration_s": clip.seconds,
            }
            lines.append(json.dumps(line, ensure_ascii=False))
        write_atomic(folder / "clips.jsonl", "".join(f"{x}\n" for x in lines).encode())
        phrases = json.dumps(sorted({c.phrase for c in labelled}), ensure_ascii=False)
        write_atomic(folder / "dataset.toml", f"phrases = {phrases}\nformat = 1\n".encode())
        return len(labelled), len(clips) - len(labelled)


class ClipKeeper:
    """Saves what the configuration says, while listening. An :class:`wakeword.actions.Action`."""

    def __init__(self, spec: ClipsSpec, detector: Detector, report: Callable[[str], None]):
        self.spec = spec
        self.store = ClipStore(spec.path)
        self._detector = detector
        self._report = report
        self._blocks: deque[Int16] = deque()
        self._held = self._heard = 0  # samples
        self._waiting: deque[tuple[int, KeptClip]] = deque()  # due when so many were heard
        self._peaks: dict[str, float] = {}  # of the bundles whose score is near the threshold
        self._numbered = 0
        if self._is_on:
            self.store.keep_within(spec.max_mb, spec.max_days, _now_s())

    @property
    def _is_on(self) -> bool:
        return bool(self.spec.keep)

    @property
    def state(self) -> str:
        """What is kept, for people to see."""
        kinds = " and ".join(k.replace("_", " ") for k in self.spec.keep)
        return (
            f"keeping clips of every {kinds} in {self.store.folder}, at most "
            f"{self.spec.max_mb:g} MB and {self.spec.max_days:g} days"
        )

    def hear(self, block: Int16) -> None:
        """Every block, after the detector has heard it."""
        if not self._is_on:
            return
        self._blocks.append(block)
        self._held += len(block)
        self._heard += len(block)
        most = round((self.spec.before_s + self.spec.after_s) * SAMPLE_RATE)
        while self._held - len(self._blocks[0]) >= most:
            self._held -= len(self._blocks.popleft())
        if "near_miss" in self.spec.keep:
            self._look_for_near_misses()
        while self._waiting and self._heard >= self._waiting[0][0]:
            self._save(self._waiting.popleft()[1])

    def fire(self, detection: Detection) -> None:
        """A wake: it is no near miss any more."""
        self._peaks.pop(detection.name, None)
        if "wake" in self.spec.keep:
            self._keep("wake", detection.name, detection.phrase, detection.score)

    def tend(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Save what still waits, shorter than planned."""
        while self._waiting:
            self._save(self._waiting.popleft()[1])

    def _look_for_near_misses(self) -> None:
        scores, thresholds = self._detector.scores, self._detector.thresholds
        for bundle in self._detector.bundles:
            score, threshold = scores[bundle.name], thresholds[bundle.name]
            peak = self._peaks.get(bundle.name)
            if score >= threshold:
                self._peaks[bundle.name] = 1.0  # a wake, or the refractory time after one
            elif score >= threshold - self.spec.near:
                self._peaks[bundle.name] = max(peak or 0.0, score)
            elif peak is not None:
                del self._peaks[bundle.name]
                if peak < threshold:
                    self._keep("near_miss", bundle.name, bundle.phrase, peak)

    def _keep(self, kind: str, name: str, phrase: str, score: float) -> None:
        self._numbered += 1
        clip = KeptClip(
            id=f"{time.strftime('%Y%m%d-%H%M%S')}-{self._numbered:03}-{kind}",
            kind=kind,
            name=name,
            phrase=phrase,
            score=round(score, 4),
            at=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            seconds=0.0,
        )
        self._waiting.append((self._heard + round(self.spec.after_s * SAMPLE_RATE), clip))

    def _save(self, clip: KeptClip) -> None:
        samples = np.concatenate(self._blocks) if self._blocks else np.empty(0, np.int16)
        try:
            self.store.add(replace(clip, seconds=round(len(samples) / SAMPLE_RATE, 3)), samples)
            self.store.keep_within(self.spec.max_mb, self.spec.max_days, _now_s())
        except OSError as error:
            self._report(f"{self.store.folder}: a clip was not kept: {error.strerror}")


def _now_s() -> float:
    """The time by the file system's own clock."""
    import datetime

    return datetime.datetime.now().timestamp()


def relabel(store: ClipStore, ids: Sequence[str], label: str) -> None:
    """Set the owner's label on these clips. Raises SpecError."""
    if label not in LABELS:
        raise SpecError(f"label {label!r}; expected one of {', '.join(LABELS)}")
    for clip in [store.get(i) for i in ids]:
        store.write(replace(clip, label=label))
