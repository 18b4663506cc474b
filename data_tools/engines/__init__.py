"""Speech synthesis engines behind one small interface, one a file.

To add one, write a module with a class like :class:`data_tools.engines.engine.Engine` and name it
in ``ENGINES``.
"""

from __future__ import annotations

from data_tools.engines.engine import Engine
from data_tools.engines.espeak import Espeak
from data_tools.engines.festival import Festival
from data_tools.engines.festival_abroad import FestivalAbroad
from data_tools.engines.flite import Flite
from data_tools.engines.mbrola import Mbrola
from data_tools.engines.pico import Pico
from data_tools.engines.piper import Piper
from data_tools.engines.rhvoice import RHVoice

ENGINES: dict[str, type[Engine]] = {
    e.name: e for e in (Espeak, Festival, FestivalAbroad, Flite, Mbrola, Pico, Piper, RHVoice)
}
