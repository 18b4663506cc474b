"""Public corpora that `wakeword data fetch` knows: what, how large, which licence, from where.

Hashes stand here where the publisher states them; where none is known, the hash of the first
download is kept beside it and later ones are held to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wakeword.spec import parse, read_toml

OPENSLR = "https://www.openslr.org/resources"
PIPER = "https://huggingface.co/rhasspy/piper-voices/resolve/main"


@dataclass(frozen=True)
class File:
    """One file of a corpus."""

    url: str
    size_mb: float  # about; checked against the disk before anything is loaded
    hash: str | None = None  # as in "md5:..." or "sha256:..."

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2].partition("?")[0]


@dataclass(frozen=True)
class Corpus:
    """A named download."""

    name: str
    what: str
    licence: str
    files: tuple[File, ...]
    label: str = "negative"  # of its clips, for `wakeword data import`
    unpacked: float = 1.4  # size on disk after unpacking, over the archive's

    @property
    def hashed(self) -> bool:
        """Whether the publisher states a hash of every file."""
        return all(file.hash for file in self.files)

    @property
    def size_mb(self) -> float:
        """Of the download."""
        return sum(file.size_mb for file in self.files)


def _librispeech(part: str, size_mb: float, md5: str, hours: float) -> Corpus:
    return Corpus(
        f"librispeech-{part}",
        f"read English audio books, {hours:g} h",
        "CC BY 4.0 (LibriSpeech)",
        (File(f"{OPENSLR}/12/{part}.tar.gz", size_mb, f"md5:{md5}"),),
        unpacked=1.05,
    )


def _piper(
    name: str, path: str, licence: str, what: str, size_mb: float, md5: tuple[str, str, str]
) -> Corpus:
    """``md5`` of the model, its settings and its card: as the voices' own voices.json has them."""
    stem = f"{PIPER}/{path}"
    folder = stem.rpartition("/")[0]
    files = (
        File(f"{stem}.onnx", size_mb, f"md5:{md5[0]}"),
        File(f"{stem}.onnx.json", 0.02, f"md5:{md5[1]}"),
        File(f"{folder}/MODEL_CARD", 0.01, f"md5:{md5[2]}"),
    )
    return Corpus(name, what, licence, files, label="voice", unpacked=0.0)


_ALL = (
    Corpus(
        "speech-commands",
        "35 single words by 2,600 people, and background noises (v2)",
        "CC BY 4.0 (Speech Commands)",
        (
            File(
                "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
                2316,
                "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            ),
        ),
    ),
    _librispeech("dev-clean", 338, "42e2234ba48799c1f50f24a7926300a1", 5.4),
    _librispeech("dev-other", 314, "c8d0bcc9cca99d4f8b62fcc847357931", 5.3),
    _librispeech("test-clean", 347, "32fa31d27d2e1cad72775fee3f4849a9", 5.4),
    _librispeech("test-other", 329, "fb5a50374b501bb3bac4815ee91d3135", 5.1),
    _librispeech("train-clean-100", 6387, "2a93770f6d5c6c964bc36631d331a522", 100),
    Corpus(
        "musan",
        "music, speech and noise, 109 h",
        "CC BY 4.0 (MUSAN; parts are public domain)",
        (File(f"{OPENSLR}/17/musan.tar.gz", 10300, "md5:0c472d4fc0c5141eca47ad1ffeb2a7df"),),
        label="background",
        unpacked=1.1,
    ),
    Corpus(
        "rirs-noises",
        "real and simulated room impulse responses, point-source noises",
        "Apache-2.0 (OpenSLR 28)",
        (File(f"{OPENSLR}/28/rirs_noises.zip", 1311, "md5:e6f48e257286e05de56413b4779d8ffb"),),
        label="rir",
        unpacked=4.0,
    ),
    Corpus(
        "esc-50",
        "2,000 environmental sounds of 5 s in 50 classes",
        "CC BY-NC 3.0 (ESC-50)",
        # Packed anew for each download, so no hash can be published.
        (File("https://github.com/karoldvl/ESC-50/archive/master.zip", 616),),
        label="background",
    ),
    _piper(
        "piper-en-us-lessac",
        "en/en_US/lessac/medium/en_US-lessac-medium",
        "Blizzard 2013 licence (non-commercial research)",
        "Piper voice: American woman",
        63.2,
        (
            "2fc642b535197b6305c7c8f92dc8b24f",
            "c1f2b7bddefe113f3255ff9ef234cfd3",
            "42f2dd4a98149e12fc70b301d9579dfd",
        ),
    ),
    _piper(
        "piper-en-us-libritts",
        "en/en_US/libritts_r/medium/en_US-libritts_r-medium",
        "CC BY 4.0 (LibriTTS-R)",
        "Piper voice: 904 American speakers",
        78.6,
        (
            "bb2c2776cffbfd736c7c497f620c0ca6",
            "c740db18a0dab11b13ce0292ea1196c6",
            "ae42a6ca5f3fdc81690d4fe191b6fdee",
        ),
    ),
    _piper(
        "piper-en-gb-vctk",
        "en/en_GB/vctk/medium/en_GB-vctk-medium",
        "CC BY 4.0 (VCTK)",
        "Piper voice: 109 British and other speakers",
        77.0,
        (
            "573025290fdc68812543b7438ace0c29",
            "68e82dee4c9a723e804f9fc0b14f1802",
            "b88a963e3bee27bc4fff84563f1be388",
        ),
    ),
)
CORPORA = {corpus.name: corpus for corpus in _ALL}


@dataclass(frozen=True)
class _Catalog:
    corpora: tuple[Corpus, ...]


def read_catalog(path: str | Path) -> dict[str, Corpus]:
    """Corpora from TOML: ``[[corpora]]`` tables with the fields of Corpus, by name."""
    catalog = parse(_Catalog, read_toml(path), str(path))
    return {corpus.name: corpus for corpus in catalog.corpora}
