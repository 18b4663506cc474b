"""What a scene is drawn from: how often each thing happens, and between which bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from data_tools.augment.codec import Codec
from data_tools.augment.distortion import SelfNoise
from data_tools.augment.filters import BandLimit, Equaliser
from data_tools.augment.level import Distance, Emphasis
from data_tools.augment.ranges import Range, check_range
from data_tools.augment.room import FreshRooms, RoomResponse
from data_tools.augment.voice import VoiceWarp
from wakeword.audio import SAMPLE_RATE


@dataclass(frozen=True)
class BackgroundSpec:
    """How often each background is drawn; the shares need not add up to one."""

    silence: float = 0.15  # nothing but the microphone's own noise
    noise: float = 0.30  # recorded places
    made: float = 0.20  # coloured, modulated, hum
    babble: float = 0.10  # 3 to 8 people at once
    speech: float = 0.25  # one person talking, as from a radio

    def __post_init__(self) -> None:
        shares = (self.silence, self.noise, self.made, self.babble, self.speech)
        if min(shares) < 0 or sum(shares) <= 0:
            raise ValueError("the shares must be 0 or more, and one of them more than 0")


@dataclass(frozen=True)
class SceneSpec:
    """Everything about a scene that is not its sources."""

    duration_s: float = 10.0
    positives: tuple[int, int] = (0, 2)  # how many, both ends included
    negatives: tuple[int, int] = (0, 3)
    speech_share: float = 0.4  # of the negatives: stretches of running speech, else words
    stretch_s: Range = (0.5, 3.0)  # length of such a stretch
    partial_share: float = 0.15  # of the negatives: the phrase broken off or begun late
    snr_db: Range = (-4.0, 25.0)
    level_dbfs: Range = (-45.0, -14.0)  # of the speech
    distance: Distance | None = None  # of each talker: both of these are then as from its near_m
    cold_start: float = 0.15  # how often the first event begins at once, as after a reset
    cold_start_s: Range = (0.0, 0.3)  # silence before it
    gap_s: float = 0.25  # at least this between two events
    tail_s: float = 0.6  # at least this after the last
    background: BackgroundSpec = field(default_factory=BackgroundSpec)
    warp_share: float = 0.8
    warp: VoiceWarp = field(default_factory=VoiceWarp)
    emphasis_share: float = 0.0  # of the words: stressed unevenly, and dropping at the end
    emphasis: Emphasis = field(default_factory=Emphasis)
    room_share: float = 0.7
    room: RoomResponse = field(default_factory=RoomResponse)
    fresh_rooms: FreshRooms | None = None  # some of them simulated on the fly
    equaliser_share: float = 0.6  # of a clip, and once more of the whole scene
    equaliser: Equaliser = field(default_factory=Equaliser)
    band_limit_share: float = 0.2
    band_limit: BandLimit = field(default_factory=BandLimit)
    mu_law_share: float = 0.05
    clipping_share: float = 0.05
    codec_share: float = 0.0  # real codecs cost as much as one to ten scenes: 0.02 is plenty
    codec: Codec = field(default_factory=Codec)
    self_noise: SelfNoise = field(default_factory=SelfNoise)

    def __post_init__(self) -> None:
        if not 1.0 <= self.duration_s <= 60.0:
            raise ValueError(f"duration_s = {self.duration_s:g}; expected 1 to 60")
        check_range("positives", self.positives, at_least=0)
        check_range("negatives", self.negatives, at_least=0)
        for name in ("stretch_s", "cold_start_s"):
            check_range(name, getattr(self, name), at_least=0)
        for name in ("snr_db", "level_dbfs"):
            check_range(name, getattr(self, name))
        if sum(self.stretch_s) <= 0:
            raise ValueError("stretch_s = [0, 0]; expected a length")

    @property
    def n_samples(self) -> int:
        """Samples in a scene."""
        return round(self.duration_s * SAMPLE_RATE)
