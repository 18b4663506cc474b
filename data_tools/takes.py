"""One take: is it good, and if not, what is wrong and how to mend it.

Used by the recorder in the terminal, by the recording page and by ``wakeword data check``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_tools.bounds import FRAME_SAMPLES, active_power, frame_levels_db, speech_bounds
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Float32, Int16, to_float32

REDO, NOTE = "redo", "note"  # record it again; good to know


class Problem(NamedTuple):
    """What is wrong with a take."""

    code: str  # stable, for translations
    severity: str  # REDO or NOTE
    what: str
    cure: str


_PROBLEMS = (
    Problem("muted", REDO, "there is no sound at all", "unmute or choose the microphone in use"),
    Problem("no_speech", REDO, "no speech was heard", "speak when you are asked to, and nearer by"),
    Problem("clipping", REDO, "too loud, the peaks are cut off", "move away or lower the gain"),
    Problem("too_quiet", REDO, "too quiet", "come nearer or raise the microphone's gain"),
    Problem("cut_start", REDO, "the beginning is cut off", "wait until you are asked to speak"),
    Problem("cut_end", REDO, "the end is cut off", "stay silent for a moment after speaking"),
    Problem("too_short", REDO, "too short to be the text", "say the whole text"),
    Problem("too_long", REDO, "much longer than the text", "say the text once, without a pause"),
    Problem("not_quiet", REDO, "somebody spoke", "let nobody speak while the room is recorded"),
    Problem("noisy", NOTE, "loud background noise", "turn the noise off if it is not meant"),
    Problem("hum", NOTE, "mains hum", "unplug the charger or move the cable away"),
    Problem(
        "narrow_band",
        NOTE,
        "nothing above 4 kHz, as from a telephone or Bluetooth microphone",
        "choose the built-in microphone",
    ),
    Problem("offset", NOTE, "a constant offset", "choose another microphone or port"),
)
PROBLEMS = {problem.code: problem for problem in _PROBLEMS}

CLIPPED_SAMPLES = 4  # at full scale
FULL_SCALE = 32_600  # a converter's limit after resampling
QUIET_DBFS = -48.0  # of the active speech: a whisper at 50 cm
NOISY_SNR_DB = 12.0
EDGE_S = 0.03  # speech this near to an end of the take was cut
VOICED_MIN_S = 0.12
FLAT_DB = 6.0  # a sound whose level changes less is no speech, whatever the voice detector says
OFFSET = 0.02  # of full scale
HUM_OVER_DB = 12.0  # of the mains harmonics over what lies between them
HUM_DBFS = -60.0


@dataclass(frozen=True)
class TakeReport:
    """What was measured in a take; levels in dB relative to full scale."""

    problems: tuple[Problem, ...]
    duration_s: float
    peak_dbfs: float
    speech_dbfs: float | None = None  # of the active speech; None without speech
    noise_dbfs: float | None = None  # of what is not speech
    speech_start_s: float | None = None
    speech_end_s: float | None = None

    @property
    def snr_db(self) -> float | None:
        """Speech over noise, if both were heard."""
        if self.speech_dbfs is None or self.noise_dbfs is None:
            return None
        return self.speech_dbfs - self.noise_dbfs

    @property
    def good(self) -> bool:
        """Whether the take can be kept."""
        return all(problem.severity != REDO for problem in self.problems)


def check_take(
    samples: Int16, speech_s: tuple[float, float] = (0.25, 8.0), speech: bool = True
) -> TakeReport:
    """Measure and judge (n,) int16 at 16 kHz.

    ``speech_s`` is how long the speech may be; ``speech`` False for room tone, which must have
    sound and no clipping and nothing else.
    """
    found: list[str] = []
    audio = to_float32(samples)
    duration_s = len(samples) / SAMPLE_RATE
    peak = float(np.max(np.abs(audio), initial=0.0))
    peak_dbfs = _db(peak**2)
    if len(samples) == 0 or np.ptp(samples.astype(np.int32)) <= 4:
        return TakeReport((PROBLEMS["muted"],), duration_s, peak_dbfs)
    if np.count_nonzero(np.abs(samples.astype(np.int32)) >= FULL_SCALE) >= CLIPPED_SAMPLES:
        found.append("clipping")
    if abs(float(audio.mean())) > OFFSET:
        found.append("offset")
    if not speech:
        noise_dbfs = _db(float(np.mean(np.square(audio - audio.mean()))))
        return TakeReport(_problems(found), duration_s, peak_dbfs, noise_dbfs=noise_dbfs)
    bounds = speech_bounds(audio)
    levels = frame_levels_db(audio)
    is_flat = float(levels.max() - np.quantile(levels, 0.1)) < FLAT_DB
    if bounds is None or is_flat or voiced_s(samples) < VOICED_MIN_S:
        return TakeReport(_problems([*found, "no_speech"]), duration_s, peak_dbfs)
    start, end = bounds
    quiet = np.concatenate([audio[: max(0, start - 320)], audio[end + 320 :]])
    speech_dbfs = _db(active_power(audio[start:end]))
    noise_dbfs = _noise_dbfs(audio, quiet)
    found += _speech_problems(audio, quiet, bounds, speech_s, speech_dbfs, noise_dbfs)
    return TakeReport(
        _problems(found),
        duration_s,
        peak_dbfs,
        speech_dbfs,
        noise_dbfs,
        start / SAMPLE_RATE,
        end / SAMPLE_RATE,
    )


def voiced_s(samples: Int16) -> float:
    """Seconds that WebRTC's voice detector takes for speech."""
    import webrtcvad

    vad = webrtcvad.Vad(2)
    # Quiet speech counts too: the detector goes by level as well.
    gain = min(8.0, 16_000 / max(1, int(np.max(np.abs(samples.astype(np.int32)), initial=1))))
    loud = (samples * max(1.0, gain)).astype(np.int16)
    units = len(loud) // STEP_SAMPLES
    voiced = sum(
        vad.is_speech(loud[i * STEP_SAMPLES : (i + 1) * STEP_SAMPLES].tobytes(), SAMPLE_RATE)
        for i in range(units)
    )
    return voiced * STEP_SAMPLES / SAMPLE_RATE


def _speech_problems(
    audio: Float32,
    quiet: Float32,
    bounds: tuple[int, int],
    speech_s: tuple[float, float],
    speech_dbfs: float,
    noise_dbfs: float,
) -> list[str]:
    start, end = bounds
    edge = int(EDGE_S * SAMPLE_RATE)
    length_s = (end - start) / SAMPLE_RATE
    levels = frame_levels_db(audio)
    loud = float(levels.max()) - 30
    checks: dict[str, Callable[[], bool]] = {
        "too_quiet": lambda: speech_dbfs < QUIET_DBFS,
        "cut_start": lambda: start < edge and bool(levels[:2].max() > loud),
        "cut_end": lambda: (
            end > len(levels) * FRAME_SAMPLES - edge and bool(levels[-2:].max() > loud)
        ),
        "too_short": lambda: length_s < speech_s[0],
        "too_long": lambda: length_s > speech_s[1],
        "noisy": lambda: speech_dbfs - noise_dbfs < NOISY_SNR_DB,
        "hum": lambda: _hums(quiet),
        "narrow_band": lambda: _is_narrow(audio[start:end]),
    }
    return [code for code, is_so in checks.items() if is_so()]


def _noise_dbfs(audio: Float32, quiet: Float32) -> float:
    """Level of what is not speech; of the quietest tenth where there is too little of it."""
    if len(quiet) >= SAMPLE_RATE // 10:
        return _db(float(np.mean(np.square(quiet))))
    return float(np.quantile(frame_levels_db(audio), 0.1))


def _hums(quiet: Float32) -> bool:
    """Whether lines at multiples of 50 or 60 Hz stand out of the pauses."""
    if len(quiet) < SAMPLE_RATE // 4:
        return False
    power = np.square(np.abs(np.fft.rfft((quiet - quiet.mean()) * np.hanning(len(quiet)))))
    bin_hz = SAMPLE_RATE / len(quiet)
    if _db(float(np.mean(np.square(quiet)))) < HUM_DBFS:
        return False

    def power_at(hz: float) -> float:
        middle = round(hz / bin_hz)
        width = max(2, round(3 / bin_hz))
        return float(power[max(0, middle - width) : middle + width + 1].max())

    for mains_hz in (50, 60):
        lines = [power_at(mains_hz * k) for k in range(1, 7)]
        between = [power_at(mains_hz * (k + 0.5)) for k in range(1, 7)]
        if sum(_db(a) - _db(b) > HUM_OVER_DB for a, b in zip(lines, between, strict=True)) >= 3:
            return True
    return False


def _is_narrow(speech: Float32) -> bool:
    """Whether the band 4.2 to 7 kHz is empty, as after a codec at 8 kHz."""
    power = np.square(np.abs(np.fft.rfft(speech * np.hanning(len(speech)))))
    hz = np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE)
    high = float(power[(hz > 4200) & (hz < 7000)].mean())
    low = float(power[(hz > 300) & (hz < 3400)].mean())
    return _db(high) - _db(low) < -58


def _problems(codes: list[str]) -> tuple[Problem, ...]:
    return tuple(PROBLEMS[code] for code in PROBLEMS if code in codes)


def _db(power: float) -> float:
    return 10 * float(np.log10(max(power, 1e-10)))
