"""A recipe from a typed phrase: what it says, what it refuses, and what needs no speech engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from data_tools.clip import Clip
from data_tools.dataset import Dataset, DatasetInfo
from data_tools.engines import ENGINES
from training import new_phrase
from training.config import Recipe, read_recipe
from wakeword.cli import main
from wakeword.errors import WakewordError

espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
VOICES = {"kal": 40, "slt": 30, "rms": 50}


def people(folder: Path, phrase: str) -> Path:
    """A dataset in which one person says the phrase, and ten talk."""
    dataset = Dataset.create(folder, DatasetInfo(phrases=(phrase,)))
    samples = (np.random.default_rng(0).normal(size=16000) * 500).astype(np.int16)
    dataset.add(samples, Clip("a", "", "positive", "recorded", phrase=phrase, speaker="ann"))
    for number in range(new_phrase.LEAST_TALKERS):
        samples = np.random.default_rng(number).integers(-500, 500, 6 * 16000, np.int16)
        name = f"talk{number}"
        dataset.add(samples, Clip(name, "", "negative", "recorded", speaker=name, duration_s=6.0))
    return folder


@pytest.mark.parametrize(
    ("phrase", "language", "minutes"),
    [
        ("hey kitchen", "en", 29),
        ('say "cheese", please!', "en-GB", 5),
        ("Licht an", "de", 20),
        ("불 켜줘", "ko", 12.5),
        ("C:\\lights on", "en", 10),
    ],
)
def test_the_recipe_reads_back_as_what_was_typed(
    phrase: str, language: str, minutes: float, tmp_path: Path
) -> None:
    own = people(tmp_path / "our takes", phrase)
    (tmp_path / "spoken").mkdir()
    texts = new_phrase.recipe_texts(phrase, [tmp_path / "spoken", own], VOICES, minutes, language)
    assert list(texts) == ["recipe.toml"]
    (tmp_path / "recipe.toml").write_text(texts["recipe.toml"], encoding="utf-8")
    recipe = read_recipe(tmp_path / "recipe.toml")
    assert recipe.about.phrase == phrase
    assert recipe.about.languages == (language,)
    assert recipe.data.datasets == (str(tmp_path / "spoken"), str(own))
    assert recipe.data.validation_speakers == ("slt",), "the voice with the fewest clips"
    assert recipe.network.backbone == "english"
    assert recipe.second_ear.use == language.startswith("en")
    assert recipe.ensemble == 2 and recipe.fit.steps == round(minutes * 65)
    assert {scenes.name for scenes in recipe.scenes} == {"short", "near", "long"}
    longest_s = recipe.scenes[0].spec.duration_s
    assert recipe.batch.frames / 100 <= longest_s, "a window must fit into the scenes"
    limits = {target.name: target.near_miss_share for target in recipe.calibrate.points}
    assert limits["strict"] < limits["balanced"] < limits["eager"] == 1


def test_of_many_voices_one_in_eight_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "spoken").mkdir()
    voices = {f"voice{number:02}": 10 + number for number in range(17)}
    texts = new_phrase.recipe_texts("lights on", [tmp_path / "spoken"], voices, 30, "en")
    (tmp_path / "recipe.toml").write_text(texts["recipe.toml"], encoding="utf-8")
    aside = read_recipe(tmp_path / "recipe.toml").data.validation_speakers
    assert aside == ("voice00", "voice01"), "those with the fewest clips"


def test_there_is_time_for_teachers_that_hear_the_same_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    own = people(tmp_path / "own", "hey kitchen")
    path = new_phrase.begin("hey kitchen", tmp_path / "run", [own])
    student = read_recipe(path)
    assert student.distil.teachers == ("frozen.toml", "own.toml")
    teachers = [read_recipe(path.parent / name) for name in student.distil.teachers]
    assert [t.network.own_convs for t in teachers] == [False, True], "they err on different audio"
    for teacher in teachers:
        assert not teacher.distil.teachers
        assert (teacher.data, teacher.scenes) == (student.data, student.scenes)


@pytest.mark.parametrize(
    ("minutes", "language"), [(10, "en"), (30, "en"), pytest.param(30, "de", marks=espeak)]
)
def test_a_microcontroller_s_network_is_taught_by_a_computer_s(
    minutes: float, language: str, tmp_path: Path
) -> None:
    takes = people(tmp_path / "takes", "Licht an")

    def recipes(size: str) -> Recipe:
        folder = tmp_path / size
        folder.mkdir()
        texts = new_phrase.recipe_texts("Licht an", [takes], VOICES, minutes, language, size)
        for name, text in texts.items():
            (folder / name).write_text(text)
        return read_recipe(folder / "recipe.toml")

    micro, computer = recipes("micro"), recipes("standard")
    assert micro.ensemble == 1 and micro.network.size == "micro"
    assert not micro.network.shared, "its convolutions are its own"
    assert not (micro.network.backbone and micro.second_ear.use), "it hears alone"
    assert micro.distil.teachers == ("standard.toml",)
    assert micro.distil.both_ears == (language == "en"), "the phone head knows English phones"
    assert read_recipe(tmp_path / "micro" / "standard.toml") == computer
    assert (micro.data, micro.scenes) == (computer.data, computer.scenes), "the same features"


def test_a_run_does_not_go_on_in_another_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    own = people(tmp_path / "own", "hey kitchen")
    for size, other in (("standard", "micro"), ("micro", "standard")):
        folder = tmp_path / size
        path = new_phrase.begin("hey kitchen", folder, [own], size=size)
        assert new_phrase.begin("hey kitchen", folder, [own], size=size) == path
        with pytest.raises(WakewordError, match=f"a run of size {size}, not {other}.*--out"):
            new_phrase.begin("hey kitchen", folder, [own], size=other)


def test_one_person_is_too_few_to_keep_anybody_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    own = people(tmp_path / "own", "hey kitchen")
    path = new_phrase.begin("hey kitchen", tmp_path / "run", [own])
    assert read_recipe(path).data.validation_speakers == ()


def test_without_talk_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAKEWORD_DATA", str(tmp_path / "nothing"))
    with pytest.raises(WakewordError, match="0 people talk in the data; 10 or more"):
        new_phrase.begin("hey kitchen", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a RECIPE, or --phrase"),
        (["recipe.toml", "--phrase", "hey"], "give a RECIPE, or --phrase"),
        (["recipe.toml", "--data", "."], "--data, --texts and --size go with --phrase"),
        (["recipe.toml", "--size", "micro"], "--data, --texts and --size go with --phrase"),
        (["--phrase", "hey", "--size", "tiny"], "'tiny' is not one of"),
        (["--phrase", "hey", "--minutes", "2"], "is not in the range x>=5"),
        (["--phrase", "hey", "--data", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_is_refused_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "run", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_without_any_engine_and_without_people_nobody_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path / "cache"))
    out, talk = tmp_path / "run", people(tmp_path / "talk", "something else")
    command = ["train", "run", "--phrase", "hey kitchen", "--out", str(out)]
    assert main([*command, "--data", str(talk)]) == 1
    said = capsys.readouterr().err
    assert "nobody says 'hey kitchen'" in said and "apt install espeak-ng" in said
    assert not (out / "recipe.toml").exists()


def test_without_any_engine_people_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path / "cache"))
    own = people(tmp_path / "own", "hey kitchen")
    path = new_phrase.begin("hey kitchen", tmp_path / "run", [own])
    assert read_recipe(path).data.datasets == (str(own),)


def test_people_who_say_something_else_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path / "cache"))
    own = people(tmp_path / "own", "hey bathroom")
    with pytest.raises(WakewordError, match="nobody says 'hey kitchen'"):
        new_phrase.begin("hey kitchen", tmp_path / "run", [own])


@pytest.mark.parametrize("phrase", ["", "...", "123"])
def test_a_phrase_without_words_is_refused(phrase: str, tmp_path: Path) -> None:
    with pytest.raises(WakewordError, match="no words in it"):
        new_phrase.begin(phrase, tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()


def test_a_phrase_that_nothing_can_pronounce_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    out = tmp_path / "run"
    assert main(["train", "run", "--phrase", "hey xqzzt", "--out", str(out)]) == 1
    assert "'xqzzt': not in CMUdict" in capsys.readouterr().err
    assert not out.exists()


@espeak
@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_engines_say_the_phrase_and_what_sounds_like_it(tmp_path: Path) -> None:
    near = new_phrase.near_texts("turn on")
    assert near[:2] == ["turn off", "turn off"], "the opposite is said most"
    counts = new_phrase.synthesise("turn on", near[:3], tmp_path / "spoken", 4, "en", 1)
    clips = list(Dataset.open(tmp_path / "spoken").clips())
    assert sum(counts.values()) == 4 == sum(c.label == "positive" for c in clips)
    assert sum(c.label == "negative" for c in clips) == 6


@espeak
def test_a_german_phrase_is_spoken_by_german_voices(tmp_path: Path) -> None:
    near = new_phrase.near_texts("Licht an", "de", ["Das Gericht tagt."])
    assert "an licht" in near and near[-1] == "Das Gericht tagt."
    new_phrase.synthesise("Licht an", near, tmp_path / "spoken", 2, "de", 1)
    clips = list(Dataset.open(tmp_path / "spoken").clips())
    installed = [engine() for engine in ENGINES.values() if engine().installed()]
    german = {(e.name, voice.name) for e in installed for voice in e.voices("de")}
    assert len(clips) == 5 and {(c.engine, c.voice) for c in clips} <= german


@espeak
def test_a_recipe_that_was_made_is_kept_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    mine = '[about]\nname = "x"\nphrase = "turn on"\n[data]\nshared = true\n[network]\nsize = "large"\n'
    (tmp_path / "recipe.toml").write_text(mine)
    assert new_phrase.begin("turn on", tmp_path) == tmp_path / "recipe.toml"
    assert (tmp_path / "recipe.toml").read_text() == mine
