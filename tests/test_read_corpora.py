"""LibriSpeech and Common Voice as their publishers lay them out, made small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_tools.corpora import CORPORA
from data_tools.downloads import UNPACKED, corpus_folder
from data_tools.pool import AudioPool
from data_tools.read_corpora import find_corpus, read_corpus
from training.transcripts import TranscriptSpec, gather
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse

WORDS = "TURN ON THE KITCHEN LIGHT"


def tone(seconds: float, rate_hz: int) -> np.ndarray:
    return 0.2 * np.sin(np.arange(int(seconds * rate_hz)) * 2 * np.pi * 300 / rate_hz)


def librispeech(folder: Path, subset: str, speakers: dict[int, str], seconds: float = 1.0) -> None:
    root = folder / "LibriSpeech"
    for speaker in speakers:
        chapter = root / subset / str(speaker) / "7"
        chapter.mkdir(parents=True)
        lines = []
        for number in range(3):
            name = f"{speaker}-7-{number:04d}"
            soundfile.write(chapter / f"{name}.flac", tone(seconds + number, 16000), 16000)
            lines.append(f"{name} {WORDS}\n")
        (chapter / f"{speaker}-7.trans.txt").write_text("".join(lines))
    rows = [
        f"{speaker} | {sex} | {subset} | 25.0 | Somebody\n" for speaker, sex in speakers.items()
    ]
    (root / "SPEAKERS.TXT").write_text(";ID |SEX| SUBSET\n" + "".join(rows))


@pytest.fixture
def common_voice(tmp_path: Path) -> Path:
    """Five people; "dave" is among the testers, "carol" among those who validate."""
    folder = tmp_path / "cv-corpus" / "en"
    (folder / "clips").mkdir(parents=True)
    header = "client_id\tpath\tsentence\tup_votes\tage\tgender\taccents\n"
    rows = {}
    for person in ("alice", "bob", "carol", "dave", "erin"):
        for number in range(2):
            name = f"{person}_{number}.mp3"
            soundfile.write(folder / "clips" / name, tone(1.2, 32000), 32000, format="MP3")
            about = (
                "twenties\tfemale_feminine\tIndia and South Asia" if person == "alice" else "\t\t"
            )
            rows[name] = f'{person}\t{name}\tShe said "turn on the light".\t2\t{about}\n'
    (folder / "validated.tsv").write_text(header + "".join(rows.values()), encoding="utf-8")
    (folder / "dev.tsv").write_text(header + rows["carol_0.mp3"], encoding="utf-8")
    (folder / "test.tsv").write_text(header + rows["dave_0.mp3"], encoding="utf-8")
    return folder


def test_librispeech_is_read_with_speakers_words_and_their_own_division(tmp_path: Path) -> None:
    librispeech(tmp_path, "train-clean-100", {103: "F", 1034: "M"})
    clips = {clip.id: clip for clip in read_corpus(tmp_path, 8.0, 100)}
    assert len(clips) == 6
    clip = clips["103-7-0001"]
    assert (clip.speaker, clip.group.sex, clip.split) == ("librispeech-103", "f", "train")
    assert clip.transcript == WORDS.lower() and clip.duration_s == 2.0
    assert clip.commercial_use and clip.licence == "CC BY 4.0 (LibriSpeech)"


def test_the_developers_of_librispeech_validate_and_its_testers_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path))
    names = {"train-clean-100": {1: "M", 2: "F"}, "dev-clean": {3: "M"}, "test-clean": {4: "F"}}
    for subset, speakers in names.items():
        folder = corpus_folder(CORPORA[f"librispeech-{subset}"], tmp_path)
        librispeech(folder, subset, speakers)
        (folder / UNPACKED).write_text("")
    spec = TranscriptSpec(corpora=tuple(f"librispeech-{s}" for s in names), validation_share=0.0)
    speech = gather(spec, tmp_path)
    assert {c.speaker for c in speech.train} == {"librispeech-1", "librispeech-2"}
    assert {c.speaker for c in speech.validation} == {"librispeech-3"}
    said = speech.phones["1-7-0000"]
    assert said[:5] == ("T", "ER", "N", "AA", "N") or said[:5] == ("T", "ER", "N", "AO", "N")


def test_common_voice_is_read_with_people_kept_on_one_side(common_voice: Path) -> None:
    clips = list(read_corpus(common_voice, 8.0, 100))
    split = {clip.id: clip.split for clip in clips}
    # The second clips of carol and dave are in no list of theirs, but they are the same people.
    assert {n for n, s in split.items() if s == "validation"} == {"carol_0.mp3", "carol_1.mp3"}
    assert {n for n, s in split.items() if s == "test"} == {"dave_0.mp3", "dave_1.mp3"}
    alice = next(clip for clip in clips if clip.id == "alice_0.mp3")
    assert alice.transcript == 'She said "turn on the light".'
    assert (alice.group.age_band, alice.group.sex) == ("18-39", "f")
    assert alice.group.accent == "India and South Asia"
    assert alice.duration_s == pytest.approx(1.2, abs=0.1)
    erin = next(clip for clip in clips if clip.id == "erin_0.mp3")
    assert erin.group.age_band is None and erin.group.accent is None


def test_the_backbone_learns_from_a_common_voice_folder_beside_the_recipe(
    common_voice: Path, tmp_path: Path
) -> None:
    spec = TranscriptSpec(corpora=("cv-corpus",), validation_share=0.0, products_only=True)
    speech = gather(spec, tmp_path)
    assert {c.speaker for c in speech.train} == {
        f"common-voice-{p}" for p in ("alice", "bob", "erin")
    }
    assert {c.speaker for c in speech.validation} == {"common-voice-carol"}
    pool = AudioPool.build(tmp_path / "audio", speech.train)
    assert not pool.skipped
    assert len(pool.samples(0)) == pytest.approx(1.2 * 16000, abs=1600)  # from 32 kHz


def test_hours_are_limited_and_long_or_missing_clips_left_out(tmp_path: Path) -> None:
    librispeech(tmp_path, "train-clean-100", dict.fromkeys(range(1, 9), "F"))
    every = list(read_corpus(tmp_path, 2.5, 100))
    assert {clip.duration_s for clip in every} == {1.0, 2.0}, "those of three seconds are too long"
    few = list(read_corpus(tmp_path, 2.5, 6.5 / 3600))
    assert 6.5 <= sum(clip.duration_s or 0 for clip in few) < 8.5
    assert few == every[: len(few)], "more hours never change which clips come first"
    Path(every[0].path).unlink()
    Path(every[1].path).write_bytes(b"not a FLAC")
    assert list(read_corpus(tmp_path, 2.5, 100)) == every[2:]


def test_what_is_not_there_is_named_with_what_gets_it(tmp_path: Path) -> None:
    with pytest.raises(WakewordError, match="wakeword data fetch librispeech-train-clean-100"):
        find_corpus("librispeech-train-clean-100")
    with pytest.raises(WakewordError, match="librispeech-dev-clean"):
        find_corpus("librispeach-dev", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WakewordError, match="validated.tsv"):
        list(read_corpus(tmp_path / "empty", 8.0, 100))
    with pytest.raises(SpecError, match="corpora"):
        parse(TranscriptSpec, {}, "recipe.toml")


def test_a_table_without_the_columns_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "validated.tsv").write_text("path\tsentence\na.mp3\thello\n")
    with pytest.raises(WakewordError, match=r"validated.tsv:2: expected the columns"):
        list(read_corpus(tmp_path, 8.0, 100))
