"""The shared data as clips: what a product may use, who speaks, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_tools.licences import allows_products, judge
from data_tools.tables import Tables, for_products, shared_folder
from wakeword.errors import WakewordError

TTS_HEADER = (
    "path,split,label,text,engine,voice,human,speaker,sex,accent,speed,formant_scale,pitch_scale,"
    "licence,commercial_use,duration_s\n"
)


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "speech.csv").write_text("path,split,speaker,source,licence,duration_s,note\n")
    (tmp_path / "tts.csv").write_text(
        TTS_HEADER
        + "a.opus,train,robert_turn_on,Robert turn on,flite,slt,cmu_slt,slt-f1,f,us,1,1,1,"
        "permissive (CMU Arctic),yes,0.9\n"
        + "b.opus,train,negative,Robert turn off,flite,slt,cmu_slt,slt-f1,f,us,1,1,1,"
        "permissive (CMU Arctic),no,0.9\n"
        + "c.opus,test,smart_mirror,smart mirror,espeak,en,espeak,en-x,?,espeak,1,1,1,"
        "GPL-3.0 engine,yes,0.8\n"
    )
    return Tables(tmp_path)


def test_clips_of_another_phrase_are_negatives(tables):
    assert [c.label for c in tables.tts("Robert turn on")] == ["positive", "negative", "negative"]
    assert [c.label for c in tables.tts("smart mirror")] == ["negative", "negative", "positive"]


def test_a_clip_that_says_the_phrase_within_a_sentence_is_no_negative_of_it(tables):
    with (tables.folder / "tts.csv").open("a") as table:
        for name, text in (("d", "Computer, turn on!"), ("e", "computers turn on")):
            table.write(f'{name}.opus,test,negative,"{text}",espeak,en,espeak,en-x,?,espeak,1,1,1,'
                        "GPL-3.0 engine,yes,0.8\n")  # fmt: skip
    assert [c.id for c in tables.tts("computer", "test")] == ["c.opus", "e.opus"]
    assert [c.id for c in tables.tts("turn on", "test")] == ["c.opus"]


def test_a_clip_that_the_table_forbids_is_forbidden_whatever_its_licence_says(tables):
    assert [c.id for c in for_products(tables.tts("Robert turn on", "train"))] == ["a.opus"]


def test_the_speaker_of_a_synthetic_clip_is_the_human_behind_the_voice(tables):
    (clip,) = tables.tts("Robert turn on", "test")
    assert (clip.speaker, clip.voice, clip.group.sex) == ("espeak", "en-x", None)


def test_a_folder_without_the_tables_is_one_clear_error(tmp_path):
    with pytest.raises(WakewordError, match="WAKEWORD_DATA"):
        Tables.open(tmp_path)


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("CC-BY-NC-ND-4.0", False),
        ("CC BY-NC 3.0 (UrbanSound8K)", False),
        ("Attribution Non-commercial Share Alike Creative Commons license", False),
        ("Attribution No Derivatives Creative Commons license", False),
        ("no licence in repo", False),
        ("VoxCeleb excerpts (audio rights with YouTube owners; research use)", False),
        ("MIT repo; noises from Speech Commands / web (see data/noises/README)", False),
        ("redistributable originals, see licence files in repo", False),
        ("all rights reserved", False),
        ("", False),
        (None, False),
        ("CC BY 4.0 (LibriSpeech)", True),
        ("Attribution Share Alike Creative Commons (OpenAIR via Reverb.js)", True),
        ("CC0-1.0", True),
        ("public domain (LJSpeech)", True),
        ("MIT (repo LICENSE)", True),
        ("Apache-2.0", True),
        ("permissive (CMU/festvox)", True),
        ("GPL-3.0 engine", True),
        ("LGPL-2.0-or-later, with the recordings", True),
        ("LGPL-2.0", False),  # of what, nobody has said
    ],
)
def test_only_licences_that_allow_products_pass(licence, allowed):
    assert allows_products(licence) is allowed
    assert judge(licence).reason


@pytest.mark.skipif(shared_folder() is None, reason="the shared data folder is not here")
def test_the_shared_data_reads_whole_and_its_audio_is_there():
    tables = Tables.open()
    speech = tables.speech("train")
    everything = speech + tables.noise() + tables.rirs() + tables.tts("Robert turn on")
    everything += tables.wake("smart mirror")
    assert all(Path(clip.path).is_file() for clip in everything)
    test_speakers = {c.speaker for c in tables.speech("test")}
    assert not (test_speakers & {c.speaker for c in speech}) - {None}
    assert not any(
        "NC" in (c.licence or "") or "Non-commercial" in (c.licence or "")
        for c in for_products(everything)
    )
    assert len(tables.wake("smart mirror", replays=True)) > len(tables.wake("smart mirror"))
    assert all(u.end_s > u.start_s for u in tables.utterances("train"))


def test_what_says_the_phrase_is_a_positive_however_the_table_labels_it(shared_data: Path) -> None:
    clips = Tables(shared_data).tts("Robert turn off")
    off = {c.transcript for c in clips if c.label == "positive"}
    assert off and all("off" in (text or "") for text in off)
    assert not any("turn off" in (c.transcript or "") for c in clips if c.label == "negative")


def test_people_say_a_phrase_that_the_table_runs_together_and_what_sounds_like_it(tables):
    (tables.folder / "speakers.csv").write_text("path,speaker\n")
    (tables.folder / "wake.csv").write_text(
        "path,phrase,label,source,licence,duration_s,note\n"
        "a.opus,heysavant,positive,corpus,CC0-1.0,2.0,\n"
        "b.opus,not_wake_words_heysavant_HeyVermont,negative,corpus,CC0-1.0,1.5,\n"
        "c.opus,not_wake_words_computer_Commuter,negative,corpus,CC0-1.0,1.5,\n"
    )
    (said,) = tables.wake("Hey Savant")
    assert (said.id, said.label, said.phrase) == ("a.opus", "positive", "Hey Savant")
    (near,) = tables.near_misses("hey savant")
    assert (near.id, near.label, near.prompt) == ("b.opus", "negative", "Hey Vermont")
    assert tables.wake("savant") == tables.near_misses("savant") == []
