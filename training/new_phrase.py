"""A recipe for a typed phrase: what is said by speech engines, how much of it, for how long."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from data_tools.accents import ways_to_say
from data_tools.clip import Clip
from data_tools.dataset import Dataset
from data_tools.engines import ENGINES
from data_tools.pronounce import is_english, words_of
from data_tools.sources import SPEECH_MIN_S
from data_tools.synth import Order, Synthesiser, SynthSpec, fill
from data_tools.tables import shared_folder
from training.config import read_recipe
from wakeword.errors import WakewordError
from wakeword.spec import write_atomic

SEED = 1
NEAR_TEXTS = 150  # different near misses
MEMBERS = 2  # networks heard as one
TAUGHT_MINUTES = 30.0  # from here on, other networks learn it first, and teach
ONE_ASIDE_OF = 8  # voices choose the checkpoint and the thresholds
LEAST_MINUTES = 5.0
# Few voices speak for all people: wider than the usual warps, and uneven stress beside them.
_WARP = """[scenes.spec.warp]
pitch = [0.7, 1.5]
formant = [0.82, 1.25]
tempo = [0.65, 1.5]
"""
# Near misses here are the nearest of a dictionary ("hain savant"). Where 2 % of them may fire, 71 %
# of people are missed; what people say when they are asked for something near lies farther off, and
# 0.6 % of it fires where the rate alone decides (docs/experiments.md, "hey savant").
_CALIBRATE = """[[calibrate.points]]
name = "strict"
fa_per_hour = 0.1
near_miss_share = 0.02
[[calibrate.points]]
name = "balanced"
fa_per_hour = 0.5
near_miss_share = 0.1
[[calibrate.points]]
name = "eager"
fa_per_hour = 2.0
"""
LEAST_TALKERS = 10  # some of them are kept aside to choose thresholds by


def name_of(phrase: str) -> str:
    """The bundle's name: the phrase in lower case, words joined by "_"."""
    name = re.sub(r"\W+", "_", phrase.lower()).strip("_")
    if not name:
        raise WakewordError(f"{phrase!r}: no words in it")
    return name


def begin(
    phrase: str,
    folder: Path,
    datasets: Sequence[Path] = (),
    minutes: float = 30.0,
    language: str = "en",
    workers: int = 1,
    texts: Sequence[str] = (),
    size: str = "standard",
) -> Path:
    """Make clips and write ``FOLDER/recipe.toml`` for a phrase; the recipe's path.

    Its teachers' recipes, if there is time for them, stand beside it. What is there already is
    kept, so a run that was stopped goes on. Words for near misses in another language than English
    are taken from ``texts``. ``size`` is standard, or micro: one ear, for a microcontroller.
    WakewordError where the phrase can't be pronounced, nothing can say it, or the folder's run is
    of another size.
    """
    recipe = folder / "recipe.toml"
    if recipe.exists():
        found = read_recipe(recipe).network.size
        if "micro" in (found, size) and found != size:
            raise WakewordError(
                f"{folder}: a run of size {found}, not {size}; give another folder with --out"
            )
        return recipe
    if minutes < LEAST_MINUTES:
        raise WakewordError(f"--minutes {minutes:g}: expected {LEAST_MINUTES:g} or more")
    ways_to_say(phrase, 1, language)  # what nobody can pronounce ends here, not in half an hour
    near = near_texts(phrase, language, texts)
    own = [Dataset.open(path) for path in datasets]
    talkers = {c.speaker for d in own for c in d.clips() if _is_talk(c)}
    if shared_folder() is None and len(talkers) < LEAST_TALKERS:
        raise WakewordError(
            f"{len(talkers)} people talk in the data; {LEAST_TALKERS} or more are needed to learn "
            "what is not the phrase: give a dataset of running speech with --data (wakeword data "
            "fetch librispeech-dev-clean, then wakeword data import)"
        )
    spoken = folder / "spoken"
    count = round(27 * minutes)
    speakers = synthesise(phrase, near, spoken, count, language, workers)
    people = Counter(c.speaker for d in own for c in d.clips() if c.phrase == phrase and c.speaker)
    if not speakers and not people:
        raise WakewordError(
            f"nobody says {phrase!r}: install a speech engine (sudo apt install espeak-ng flite), "
            "or record it (wakeword data record) and give --data"
        )
    # A voice chooses the checkpoint that the others have not taught. Where the engines have one
    # voice only, as in most languages, it is a person; or nobody, and the last checkpoint is taken.
    choosers = speakers if len(speakers) > 2 else people if len(people) > 2 else {}
    texts_by_name = recipe_texts(phrase, [spoken, *datasets], choosers, minutes, language, size)
    for name, text in texts_by_name.items():
        write_atomic(folder / name, text.encode())
    return recipe


def _is_talk(clip: Clip) -> bool:
    """Whether somebody talks at length in it."""
    return (
        clip.label == "negative" and clip.origin != "tts" and (clip.duration_s or 0) > SPEECH_MIN_S
    )


def synthesise(
    phrase: str, near: Sequence[str], folder: Path, count: int, language: str, workers: int
) -> dict[str, int]:
    """``count`` clips of the phrase and half as many again of near misses; clips by speaker."""
    from rich.console import Console
    from rich.progress import Progress

    engines = [engine() for engine in ENGINES.values() if engine().installed()]
    if not engines:
        return {}
    synthesiser = Synthesiser(engines, language, SynthSpec(), SEED)
    orders = Counter({Order(phrase, "positive", phrase): count})
    for number in range(count * 3 // 2 if near else 0):
        orders[Order(near[number % len(near)], "negative", None)] += 1
    dataset = Dataset.open_or_create(folder, [phrase])
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("speaking", total=orders.total())
        for order, wanted in orders.items():
            for _ in fill(dataset, synthesiser, order, wanted, workers, lambda why: None):
                progress.advance(task)
    return Counter(c.speaker for c in dataset.clips() if c.label == "positive" and c.speaker)


def near_texts(phrase: str, language: str = "en", texts: Sequence[str] = ()) -> list[str]:
    """What sounds like the phrase; its opposites stand first and are said most.

    Of another language than English there are parts and orders only, the words in ``texts`` that
    sound like the phrase's in their place, and the texts themselves.
    """
    from data_tools.confusables import confusables

    near = confusables(phrase, NEAR_TEXTS, language=language, texts=texts)
    if not is_english(language):
        said = words_of(phrase)
        others = [text.strip() for text in texts if words_of(text) and words_of(text) != said]
        return [*(one.text for one in near), *others[:NEAR_TEXTS]]
    opposites = [one.text for one in near if one.kind == "opposite"]
    return [*(opposites * 10)[:20], *(one.text for one in near)]


def recipe_texts(
    phrase: str,
    datasets: Sequence[Path],
    choosers: Mapping[str, int],
    minutes: float,
    language: str,
    size: str = "standard",
) -> dict[str, str]:
    """The recipes by file name, "recipe.toml" last; the others are its teachers'.

    Of ``choosers``, clips by speaker, those with the fewest are missed least.
    """
    text = partial(_recipe_text, phrase, datasets, choosers, minutes, language)
    if minutes < TAUGHT_MINUTES:
        texts = {"recipe.toml": text(65 * minutes)}
    else:
        texts = {
            "frozen.toml": text(65 * minutes),
            "own.toml": text(100 * minutes, members=1, own_convs=True),
            "recipe.toml": text(87 * minutes, teachers=("frozen.toml", "own.toml")),
        }
    if size == "micro":
        texts["standard.toml"] = texts.pop("recipe.toml")
        texts["recipe.toml"] = text(87 * minutes, 1, size=size, teachers=("standard.toml",))
    return texts


def _recipe_text(
    phrase: str,
    datasets: Sequence[Path],
    choosers: Mapping[str, int],
    minutes: float,
    language: str,
    steps: float,
    members: int = MEMBERS,
    own_convs: bool = False,
    teachers: Sequence[str] = (),
    size: str = "standard",
) -> str:
    rarest = sorted(choosers, key=lambda name: (choosers[name], name))
    aside = rarest[: max(1, len(rarest) // ONE_ASIDE_OF)]
    places = [str(path.resolve()) for path in datasets if path.exists()]
    longest_s = 2.0 + 0.45 * len(words_of(phrase))
    frames = round(longest_s * 100) // 30 * 30
    short, near, long = (round(minutes * n) for n in (200, 100, 40))
    return f"""# Written by `wakeword train run --phrase`; yours to change.
seed = {SEED}
stream_copies = 1
ensemble = {members}

[about]
name = {json.dumps(name_of(phrase))}
phrase = {json.dumps(phrase, ensure_ascii=False)}
languages = [{json.dumps(language)}]

[data]
shared = {json.dumps(shared_folder() is not None)}
datasets = {json.dumps(places, ensure_ascii=False)}
validation_speakers = {json.dumps(aside)}

[[scenes]]
name = "short"
count = {short}
[scenes.spec]
duration_s = {longest_s + 0.3:.1f}
positives = [1, 1]
negatives = [0, 1]
cold_start = 0.3
emphasis_share = 0.6
{_WARP}
[[scenes]]
name = "near"
count = {near}
[scenes.spec]
duration_s = {longest_s + 0.3:.1f}
positives = [0, 0]
negatives = [1, 2]
speech_share = 0.2
cold_start = 0.3
emphasis_share = 0.6
{_WARP}
[[scenes]]
name = "long"
count = {long}
[scenes.spec]
duration_s = 10.0
positives = [0, 3]
negatives = [1, 4]
emphasis_share = 0.6
{_WARP}
{_micro(language) if size == "micro" else _standard(own_convs, language)}
[batch]
frames = {frames}

[fit]
steps = {round(steps)}
check_steps = {max(200, round(minutes * 32))}

{_CALIBRATE}{_distil_text(teachers, size == "micro" and is_english(language))}"""


def _micro(language: str) -> str:
    if not is_english(language):
        return '[network]\nsize = "micro"\ndropout = 0.1\n'
    return """[network]
size = "micro"
backbone = "english"  # its phone head teaches
own_convs = true
dropout = 0.1

[second_ear]
use = false
"""


def _standard(own_convs: bool, language: str) -> str:
    return f"""[network]
size = "standard"
backbone = "english"
own_convs = {json.dumps(own_convs)}
dropout = 0.2

[second_ear]
# The phone head knows English phones; other languages are heard by the wake head alone.
use = {json.dumps(is_english(language))}
"""


def _distil_text(teachers: Sequence[str], both_ears: bool) -> str:
    if not teachers:
        return ""
    return f"""
[distil]
teachers = {json.dumps(list(teachers))}
weight = 1.0
both_ears = {json.dumps(both_ears)}
"""
