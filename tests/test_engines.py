"""Real engines say what they are asked to, or that they can't."""

from __future__ import annotations

from pathlib import Path

import pytest
from speech_engines import DEBIAN, PHRASE, need

from data_tools.engines import ENGINES, festival_abroad, rhvoice
from data_tools.engines.engine import EngineError, run
from data_tools.licences import allows_products
from data_tools.phones import PHONES
from data_tools.takes import check_take
from wakeword.audio import read_file


def usual(engine):
    """A voice that changes its speed and lacks no sounds: not all of festival's do."""
    voices = engine.voices("en")
    wanted = {"festival": "kal_diphone", "festival-abroad": "hy_fi_mv_diphone"}.get(engine.name)
    return next(voice for voice in voices if wanted in (voice.name, None))


@pytest.mark.parametrize("name", DEBIAN)
def test_an_engine_says_the_phrase_in_each_sort_of_voice(name, tmp_path):
    need(name)
    engine = ENGINES[name]()
    voices = engine.voices("en")
    assert voices and voices == engine.voices("en")
    lacking = ["mb-us3"]  # sounds of this phrase: see below
    voices = [voice for voice in voices if voice.name not in lacking]
    for voice in voices[:: max(1, len(voices) // 3)]:
        wav = tmp_path / "out.wav"
        engine.say(PHRASE, voice, 1.0, 1.0, wav)
        report = check_take(read_file(wav))
        assert report.speech_end_s is not None, voice
        wav.unlink()


@pytest.mark.parametrize("name", DEBIAN)
def test_an_engine_speaks_faster_when_asked_to(name, tmp_path):
    need(name)
    engine = ENGINES[name]()
    voice = usual(engine)
    lengths = []
    for speed in (0.8, 1.3):
        engine.say(PHRASE, voice, speed, 1.0, tmp_path / "out.wav")
        report = check_take(read_file(tmp_path / "out.wav"))
        lengths.append(report.speech_end_s - report.speech_start_s)
    assert lengths[0] > 1.25 * lengths[1]


@pytest.mark.parametrize("name", DEBIAN)
def test_an_odd_text_is_said_and_not_run(name, tmp_path):
    need(name)
    engine = ENGINES[name]()
    voice = usual(engine)
    text = f'-w "quoted" \\ (system "touch {tmp_path}/bad"); $(touch {tmp_path}/bad)'
    if name == "festival-abroad":  # has no sounds for such a text, and must say so
        with pytest.raises(EngineError, match="default diphone"):
            engine.say(text, voice, 1.0, 1.0, tmp_path / "out.wav")
    else:
        engine.say(text, voice, 1.0, 1.0, tmp_path / "out.wav")
        assert read_file(tmp_path / "out.wav").any()
    assert not (tmp_path / "bad").exists()


def test_voices_of_mbrola_are_people_and_not_for_products():
    need("mbrola")
    voices = ENGINES["mbrola"]().voices("en")
    assert len({voice.speaker for voice in voices}) == len(voices)
    assert {voice.sex for voice in voices} <= {"m", "f"}
    assert not any(allows_products(voice.licence) for voice in voices)
    espeak = ENGINES["espeak-ng"]().voices("en")
    assert not any("mb-" in voice.name for voice in espeak)
    # and those that have no diphones here are not offered
    german = {voice.speaker for voice in ENGINES["mbrola"]().voices("de")}
    assert {path.name for path in Path("/usr/share/mbrola").glob("de*")} == {
        speaker.removeprefix("mbrola ") for speaker in german
    }


def test_festival_offers_no_czech_reading_english_as_czech():
    need("festival", "festival-abroad")
    names = {voice.name for voice in ENGINES["festival"]().voices("en")}
    assert "kal_diphone" in names and not names & {p.voice for p in festival_abroad.PEOPLE}


def sounds_of(voice: str) -> set[str]:
    """By festival's own list."""
    phones = "(print (mapcar car (cadr (assoc 'phones (PhoneSet.description nil)))))"
    return set(run(["festival", "--pipe"], f"(voice_{voice})\n{phones}").strip("()\n ").split())


def test_people_from_abroad_have_every_english_sound_and_may_be_in_products():
    need("festival-abroad")
    voices = ENGINES["festival-abroad"]().voices("en")
    assert all(allows_products(voice.licence) for voice in voices)
    installed = {voice.name for voice in voices}
    english = sounds_of(festival_abroad.READER)
    for person in festival_abroad.PEOPLE:
        assert english <= set(person.sounds), person.voice
        if person.voice in installed:
            said = {sound for several in person.sounds.values() for sound in several.split()}
            assert said <= sounds_of(person.voice), person.voice


def test_a_gap_where_a_voice_lacks_two_sounds_is_no_clip(tmp_path):
    need("festival-abroad")
    engine = ENGINES["festival-abroad"]()
    voice = next(voice for voice in engine.voices("en") if voice.name == "czech_dita")
    with pytest.raises(EngineError, match="default diphone"):
        engine.say("how are you", voice, 1.0, 1.0, tmp_path / "out.wav")


def test_mbrola_is_not_believed_when_it_left_out_a_word(tmp_path):
    """espeak-ng's status is 0; us3 lacks the vowel of "off" after n."""
    need("mbrola")
    if not Path("/usr/share/mbrola/us3").exists():
        pytest.skip("mbrola-us3 is not installed")
    engine = ENGINES["mbrola"]()
    voice = next(voice for voice in engine.voices("en") if voice.name == "mb-us3")
    engine.say("Robert", voice, 1.0, 1.0, tmp_path / "said.wav")
    with pytest.raises(EngineError, match="unknown"):
        engine.say("Robert turn off", voice, 1.0, 1.0, tmp_path / "out.wav")


def test_pico_says_signs_that_it_would_take_for_tags(tmp_path):
    need("pico")
    engine = ENGINES["pico"]()
    voice = engine.voices("en")[0]
    engine.say("lamp & <light> on", voice, 1.0, 1.0, tmp_path / "signs.wav")
    engine.say("lamp light on", voice, 1.0, 1.0, tmp_path / "plain.wav")
    lengths = [len(read_file(tmp_path / name)) for name in ("signs.wav", "plain.wav")]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def test_espeak_speaks_other_languages_and_says_when_it_has_none():
    need("espeak-ng")
    engine = ENGINES["espeak-ng"]()
    assert any(voice.accent == "ko" for voice in engine.voices("ko"))
    assert len({voice.name for voice in engine.voices("en")}) > 100


def test_a_failed_engine_names_itself():
    need("espeak-ng")
    engine = ENGINES["espeak-ng"]()
    voice = engine.voices("en")[0]
    with pytest.raises(EngineError, match="espeak-ng"):
        engine.say("x", type(voice)("espeak-ng", "zz9", "x"), 1, 1, "/nowhere/x.wav")


def test_rhvoice_spells_english_anew_for_readers_of_other_letters():
    polish, r_less = (rhvoice.respelled("Robert, turn off!", rhvoice.POLISH, r) for r in (0, 1))
    assert polish == "robert, tern of!"
    assert r_less == "robet, ten of!"
    assert rhvoice.respelled("start", rhvoice.POLISH, r_less=False) == "start"
    assert rhvoice.respelled("shut the door", rhvoice.UKRAINIAN, r_less=False) == "шат да дор"
    with pytest.raises(EngineError, match="pronounc|espeak|CMUdict"):
        rhvoice.respelled("'", rhvoice.POLISH, r_less=False)


def test_every_table_of_letters_has_every_english_sound():
    for country in rhvoice.COUNTRIES.values():
        assert country.letters is None or set(country.letters) == set(PHONES), country.tag


def test_rhvoice_is_people_and_only_those_whose_terms_were_read_are_for_products():
    need("rhvoice")
    voices = ENGINES["rhvoice"]().voices("en")
    speakers = {voice.speaker: voice for voice in voices}
    assert {"cmu_bdl", "cmu_slt", "natan"} <= set(speakers)
    assert allows_products(speakers["cmu_bdl"].licence)
    assert not allows_products(speakers["natan"].licence)  # CC BY-NC-ND
    polish = ENGINES["rhvoice"]().voices("pl")
    assert {"natan", "magda"} == {voice.speaker for voice in polish}


def test_what_rhvoice_could_not_say_is_no_clip(tmp_path):
    """Its status is 0 whatever happens."""
    need("rhvoice")
    engine = ENGINES["rhvoice"]()
    voice = next(voice for voice in engine.voices("en") if voice.speaker == "cmu_bdl")
    with pytest.raises(EngineError, match="did not say"):
        engine.say("Robert turn on", voice, 1.0, 1.0, tmp_path / "no such folder" / "out.wav")
