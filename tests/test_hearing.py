"""What a bundle said over a stream is kept, and used again only where nothing changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demo_streams import NAME, with_thresholds

from data_tools.clip import Clip
from training import hearing
from training.hearing import hear
from training.stream_folder import StreamFolder, write
from training.streams import PHRASES, Stream, Truth
from wakeword.audio import Int16
from wakeword.bundle import Bundle


@pytest.fixture
def streams(tmp_path: Path, recording: Int16) -> StreamFolder:
    truth = Truth(1.0, 2.0, Clip("a", "", "positive", "tts"))
    audio = recording[: 20 * 16_000]
    made = [Stream("one", audio, (truth,), PHRASES), Stream("two", audio[::-1].copy())]
    return write(tmp_path / "streams", "Robert turn on", {}, made)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the streams that a detector really went through, as it does."""
    names: list[str] = []
    listen_both = hearing.listen_both

    def noted(
        bundle: Bundle, stream: Stream, gate: bool = True
    ) -> tuple[hearing.Heard, hearing.Heard]:
        names.append(stream.name)
        return listen_both(bundle, stream, gate)

    monkeypatch.setattr(hearing, "listen_both", noted)
    return names


def test_a_second_time_says_the_same_without_listening(
    streams: StreamFolder, passes: list[str]
) -> None:
    bundle = Bundle.load(NAME)
    first = hear(bundle, streams.streams)
    assert passes == ["one", "two"] and len(first[0].trace) > 100
    again = hear(bundle, StreamFolder.open(streams.path).streams)
    assert passes == ["one", "two"]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.trace, b.trace)
        assert (a.open_s, a.cpu_s) == (b.open_s, b.cpu_s)
        assert a.detections(bundle, 0.5) == b.detections(bundle, 0.5)


def test_other_thresholds_need_no_other_pass(streams: StreamFolder, passes: list[str]) -> None:
    hear(Bundle.load(NAME), streams.streams)
    hear(with_thresholds(NAME, 0.9), streams.streams)
    assert passes == ["one", "two"]


def test_whatever_changes_a_score_is_heard_anew(streams: StreamFolder, passes: list[str]) -> None:
    bundle = Bundle.load(NAME)
    hear(bundle, streams.streams)
    hear(bundle, streams.streams, gate=False)
    assert len(passes) == 4
    micro = replace(bundle.manifest.micro, sliding_window_size=7)
    slower = Bundle.create(bundle.name, replace(bundle.manifest, micro=micro), bundle.model)
    extension = replace(bundle.extension, warm_up_steps=20)
    later = Bundle.create(bundle.name, replace(bundle.manifest, wakeword=extension), bundle.model)
    hear(slower, streams.streams)
    hear(later, streams.streams)
    assert len(passes) == 8
    hear(bundle, streams.streams)
    assert len(passes) == 8, "what was kept first is still there"


def test_other_audio_under_the_same_name_is_heard_anew(
    streams: StreamFolder, passes: list[str], tmp_path: Path
) -> None:
    bundle = Bundle.load(NAME)
    hear(bundle, streams.streams)
    (one, two) = streams.streams
    assert one.sha256 != two.sha256
    truth = Truth(1.0, 2.0, Clip("a", "", "positive", "tts"))
    quiet = Stream("one", np.ones(16_000, np.int16), (truth,), PHRASES)
    other = write(tmp_path / "other", "Robert turn on", {}, [quiet])
    (tmp_path / "other" / "traces").symlink_to(streams.path / "traces")
    hear(bundle, other.streams)
    assert passes == ["one", "two", "one"]
