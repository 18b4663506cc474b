"""The second ear of a bundle: the phrase in phones, what sounds like it, and how both are fused."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from data_tools.accents import ways_to_say
from data_tools.confusables import confusables
from data_tools.phones import distance
from data_tools.pronounce import Phones, pronounce, words_of
from training.backbone import HEAD, Backbone
from wakeword.errors import WakewordError
from wakeword.phrase import Fusion, PhraseSpec

STEP_S = 0.03


@dataclass(frozen=True)
class SecondEarSpec:
    """A recipe's table ``second_ear``: what the phone head is asked. Needs ``network.backbone``."""

    # Its phones are English: other languages are heard through them, poorly, so a recipe that
    # `train run --phrase` writes for one says false. The convolutions serve every language.
    use: bool = True
    pronunciations: tuple[str, ...] = ()  # as in "R AA B ER T"; from the dictionary if none is here
    most_pronunciations: int = 12
    competitors: int = 24  # at most; the opposites of the phrase are always among them
    competitor_distance: float = 1.2  # nearer ones may be the phrase in somebody's accent
    window_s: float = 2.0  # a phrase lies within this
    hold_s: float = 0.42  # the phrase may have ended this long ago
    floor: float = 0.25  # a wake score under this is final; under one step in a hundred passes it
    strength: float = 1000.0  # of the fusion below against what the voices kept aside say
    fusion: Fusion = field(default_factory=lambda: Fusion(0.0, 1.0, 0.5, 0.05))


def phrase_spec(
    spec: SecondEarSpec, phrase: str, backbone: Backbone, language: str = "en"
) -> PhraseSpec:
    """What the device's second ear is told. WakewordError if the phrase can't be pronounced."""
    own = tuple(tuple(text.split()) for text in spec.pronunciations)
    own = own or ways_to_say(phrase, spec.most_pronunciations, language)
    longest = max(max(map(len, own)) + 1, round(spec.window_s / STEP_S))
    try:
        return PhraseSpec(
            symbols=backbone.about.symbols,
            pronunciations=own,
            competitors=competitors(spec, phrase, own, language),
            window_steps=longest,
            hold_steps=round(spec.hold_s / STEP_S),
            floor=spec.floor,
            fusion=spec.fusion,
            output=HEAD,
        )
    except ValueError as error:
        raise WakewordError(f"second_ear of {phrase!r}: {error}") from None


def competitors(
    spec: SecondEarSpec, phrase: str, own: tuple[Phones, ...], language: str = "en"
) -> tuple[Phones, ...]:
    """Pronunciations of whole phrases that sound alike: opposites, then the nearest first."""
    found: dict[Phones, None] = {}
    if not spec.competitors:
        return ()
    nearest = confusables(phrase, 4 * spec.competitors, language=language)
    for near in sorted(nearest, key=lambda near: near.kind != "opposite"):
        if near.kind not in ("words", "opposite"):
            continue  # a part of the phrase fits wherever the phrase does
        for way in itertools.islice(
            itertools.product(*(pronounce(word, language) for word in words_of(near.text))), 4
        ):
            said = tuple(itertools.chain(*way))
            away = min(distance(said, one) for one in own)
            if near.kind == "opposite" or away >= spec.competitor_distance:
                found[said] = None
    return tuple(found)[: spec.competitors]
