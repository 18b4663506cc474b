"""Downloads that go on after a broken line, are checked against their hash, and fit on the disk."""

from __future__ import annotations

import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from data_tools.corpora import Corpus, File
from wakeword.errors import WakewordError

BLOCK_BYTES = 1 << 18
TIMEOUT_S = 30.0  # without a byte
TRIES = 5  # without a byte of progress between them
RETRY_WAIT = 1.0  # a factor on the waits between tries
SPARE_MB = 500  # to be left on the disk
UNPACKED = ".unpacked"


class FetchError(WakewordError):
    """A download that failed for good."""


def cache_folder() -> Path:
    """``WAKEWORD_CACHE``, or ``wakeword`` in the user's cache folder."""
    if "WAKEWORD_CACHE" in os.environ:
        return Path(os.environ["WAKEWORD_CACHE"])
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "wakeword"


def corpus_folder(corpus: Corpus, cache: Path) -> Path:
    """Where a corpus lies once it is fetched; Piper's voices where the engine looks for them."""
    return cache / ("piper" if corpus.label == "voice" else "corpora") / corpus.name


def fetch(corpus: Corpus, cache: Path, progress: Callable[[int, int], None]) -> Path:
    """Download, check and unpack a corpus below ``cache``; its folder. At once if it is there.

    ``progress(done_bytes, total_bytes)`` is called as it goes. FetchError if the disk is too small
    (before anything is loaded), the server fails for good, or the hash is wrong.
    """
    folder = corpus_folder(corpus, cache)
    done_mark = folder / UNPACKED
    if done_mark.exists():
        return folder
    _refuse_full_disk(corpus, cache)
    folder.mkdir(parents=True, exist_ok=True)
    for file in corpus.files:
        path = folder / file.name
        if not path.exists():
            _download(file, path, progress)
        if path.name.endswith((".tar.gz", ".tgz", ".zip")):
            _unpack(path, folder)
    done_mark.write_text(corpus.licence)
    for file in corpus.files:
        if file.name.endswith((".tar.gz", ".tgz", ".zip")):
            (folder / file.name).unlink(missing_ok=True)
    return folder


def _refuse_full_disk(corpus: Corpus, cache: Path) -> None:
    existing = next(p for p in (cache.absolute(), *cache.absolute().parents) if p.exists())
    free_mb = shutil.disk_usage(existing).free / 1e6
    needed_mb = corpus.size_mb * (1 + corpus.unpacked) + SPARE_MB
    if free_mb < needed_mb:
        raise FetchError(
            f"{corpus.name}: needs {needed_mb / 1000:.1f} GB on the disk of {existing}, "
            f"{free_mb / 1000:.1f} GB are free; make room, or set WAKEWORD_CACHE to another disk"
        )


def _download(file: File, path: Path, progress: Callable[[int, int], None]) -> None:
    """The file, whole and with the right hash, or FetchError. A part of it waits in NAME.part."""
    part = path.with_name(path.name + ".part")
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _load_on(file, part, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to load
                break
            if error.code < 500:
                raise FetchError(
                    f"{file.url}: the server says {error.code} {error.reason}"
                ) from None
            reason: object = f"{error.code} {error.reason}"
        except (OSError, EOFError) as error:
            reason = getattr(error, "reason", None) or error
        now = part.stat().st_size if part.exists() else 0
        tries = 1 if now > before else tries + 1
        if tries >= TRIES:
            raise FetchError(
                f"{file.url}: {reason}; {now / 1e6:.0f} MB are kept, run the same command to go on"
            )
        time.sleep(min(2.0**tries, 10.0) * RETRY_WAIT)
    _check_hash(file, part)
    part.replace(path)


def _load_on(file: File, part: Path, progress: Callable[[int, int], None]) -> None:
    """Append what is missing of the file; EOFError if the server closes too early."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(file.url, headers={"User-Agent": "wakeword"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        goes_on = response.status == 206
        length = response.headers.get("Content-Length")
        total = (have if goes_on else 0) + int(length) if length else 0
        # A server that knows no ranges sends the whole file again.
        with part.open("ab" if goes_on else "wb") as output:
            done = have if goes_on else 0
            while block := response.read(BLOCK_BYTES):
                output.write(block)
                done += len(block)
                progress(done, total)
    if total and done < total:
        raise EOFError(f"the connection broke after {done / 1e6:.0f} of {total / 1e6:.0f} MB")


def _check_hash(file: File, part: Path) -> None:
    import pooch

    known = part.with_name(file.name + ".sha256")
    expected = file.hash or (f"sha256:{known.read_text().strip()}" if known.exists() else None)
    if expected is None:
        known.write_text(str(pooch.file_hash(str(part), alg="sha256")))
        return
    algorithm, _, digest = expected.partition(":")
    found = pooch.file_hash(str(part), alg=algorithm)
    if found != digest:
        part.unlink()
        raise FetchError(
            f"{file.url}: {algorithm} {found}, expected {digest}; the wrong bytes were deleted, "
            "fetch it again, from another network if that happens twice"
        )


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into ``folder``; FetchError for what is no archive or would write outside of it."""
    import tarfile
    import zipfile

    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(folder)  # drops absolute paths and ".."
        else:
            with tarfile.open(archive) as tar:
                if hasattr(tarfile, "data_filter"):
                    tar.extractall(folder, filter="data")
                else:  # Python 3.10.11 and older
                    _refuse_outside(tar, archive)
                    tar.extractall(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        archive.unlink()
        raise FetchError(f"{archive}: not an archive ({error}); deleted, fetch it again") from None


def _refuse_outside(tar, archive: Path) -> None:  # type: ignore[no-untyped-def]
    for member in tar.getmembers():
        parts = Path(member.name).parts
        if member.name.startswith("/") or ".." in parts or not (member.isfile() or member.isdir()):
            raise FetchError(f"{archive}: holds {member.name!r}, which would leave the folder")
