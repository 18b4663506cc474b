"""Piper: neural voices, through its command ``piper`` (pip install piper-tts).

A model is a file NAME.onnx with NAME.onnx.json beside it. Models are looked for in
``WAKEWORD_PIPER_VOICES`` and where ``wakeword data fetch`` puts them. Every call loads the model,
which takes about a second.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from data_tools.downloads import cache_folder
from data_tools.engines.engine import Engine, EngineError, Voice, run
from wakeword.audio import read_file
from wakeword.errors import AudioError


class Piper(Engine):
    """Every speaker of every installed model of a language."""

    name = "piper"
    program = "piper"
    install = "pip install piper-tts, then: wakeword data fetch piper-en-us-lessac"

    def voices(self, language: str) -> list[Voice]:
        """Voice names are MODEL.onnx or MODEL.onnx#SPEAKER."""
        voices = []
        for model in models():
            about = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
            code = str(about.get("language", {}).get("code", model.name))
            if code.replace("_", "-").partition("-")[0] != language.partition("-")[0]:
                continue
            numbers = range(int(about.get("num_speakers", 1)))
            for number in numbers:
                many = len(numbers) > 1
                voices.append(
                    Voice(
                        engine=self.name,
                        name=f"{model}#{number}" if many else str(model),
                        speaker=f"piper {model.stem}" + (f" {number}" if many else ""),
                        licence=_licence(model),
                        accent=code,
                    )
                )
        return voices

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Speed through length_scale; the noise scales follow the pitch, which can't be set."""
        model, _, speaker = voice.name.partition("#")
        # More noise is a livelier reading. Drawn from the pitch, so that they are reproducible.
        liveliness = min(max(pitch, 0.7), 1.4)
        command = [
            self.program,
            "--model", model,
            "--output_file", str(wav),
            "--length_scale", f"{1 / speed:.3f}",
            "--noise_scale", f"{0.667 * liveliness:.3f}",
            "--noise_w", f"{0.8 * liveliness:.3f}",
        ]  # fmt: skip
        if speaker:
            command += ["--speaker", speaker]
        run(command, text + "\n")
        try:
            read_file(wav)
        except AudioError as error:
            raise EngineError(f"piper: {error}") from None


def models() -> list[Path]:
    """The models on this machine that have their description beside them."""
    folders = [Path(p) for p in os.environ.get("WAKEWORD_PIPER_VOICES", "").split(":") if p]
    folders.append(cache_folder() / "piper")
    return [
        model
        for folder in folders
        for model in sorted(folder.rglob("*.onnx"))
        if Path(f"{model}.json").exists()
    ]


def _licence(model: Path) -> str | None:
    """The licence line of the model card beside it, if there is one."""
    card = model.parent / "MODEL_CARD"
    for line in card.read_text(encoding="utf-8").splitlines() if card.exists() else ():
        if "license" in line.lower() and ":" in line:
            return line.partition(":")[2].strip(" *") or None
    return None
