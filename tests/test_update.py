"""Signed releases: only the right one is taken, while listening goes on, and a bad one goes back."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from releases import (  # noqa: F401
    KEY,
    NAME,
    SAMPLE_RATE,
    audio,
    bundle,
    config,
    newer,
    release,
    saved,
    signed_again,
)

from firmware_export.update import make_release, public_key
from wakeword.bundle import Bundle
from wakeword.cli import main
from wakeword.config import Config
from wakeword.errors import WakewordError
from wakeword.release import (
    MAGIC,
    PARTS,
    SIGNATURE_BYTES,
    Golden,
    Release,
    ReleaseError,
    seal,
    unseal,
)
from wakeword.trial import begin
from wakeword.update import take

FUZZED = 10_000  # inputs


def test_what_was_signed_comes_out_again(release: bytes, newer: Bundle, audio: np.ndarray) -> None:
    one = unseal(release, public_key(KEY), "test")
    assert one.bundle.model == newer.model and one.bundle.threshold() == 0.5
    assert np.array_equal(one.golden_audio, audio) and one.release.golden.detections_s


def test_a_release_is_taken_from_a_file_by_the_command(
    tmp_path: Path, config: Config, release: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = str(tmp_path / "wakeword.toml")
    assert main(["update", saved(tmp_path, release), "--config", toml]) == 0
    assert "signature and self-test are right" in capsys.readouterr().out
    assert main(["update", "--config", toml]) == 0
    assert "release 100, on trial" in capsys.readouterr().out
    (model,) = begin(config.update, config.detector.models, lambda _: None)
    assert Bundle.load(model).threshold() == 0.5
    assert main(["update", "--back", NAME, "--config", toml]) == 0
    assert begin(config.update, config.detector.models, lambda _: None) == (NAME,)


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves one release under /good; elsewhere it behaves badly."""

    data = b""

    def do_GET(self) -> None:
        if self.path == "/good":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.data)
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.data)))
            self.end_headers()
            self.wfile.write(self.data[:1000])
        elif self.path == "/rubbish":
            self.wfile.write(b"\0" * 100)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            with pytest.raises(OSError):
                for _ in range(1000):
                    self.wfile.write(bytes(1 << 20))
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(release: bytes) -> Iterator[str]:
    _Server.data = release
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_a_release_is_taken_from_a_server(config: Config, server: str) -> None:
    assert take(config, f"{server}/good").state().current == 100


@pytest.mark.parametrize("path", ["/short", "/rubbish", "/endless", "/missing"])
def test_a_server_that_behaves_badly_changes_nothing(
    config: Config, server: str, path: str
) -> None:
    with pytest.raises(ReleaseError):
        take(config, server + path)
    assert not config.update.path.exists()


def test_an_address_of_another_kind_is_refused(config: Config) -> None:
    with pytest.raises(ReleaseError, match="https://"):
        take(config, "ftp://127.0.0.1/x")


def refused(config: Config, tmp_path: Path, data: bytes, told: str) -> None:
    before = config.update.of(NAME).state()
    with pytest.raises(ReleaseError, match=told):
        take(config, saved(tmp_path, data))
    assert config.update.of(NAME).state() == before


def test_a_tampered_or_truncated_release_is_refused(
    config: Config, tmp_path: Path, release: bytes
) -> None:
    for at in (len(MAGIC), len(MAGIC) + SIGNATURE_BYTES, len(release) // 2, len(release) - 1):
        damaged = bytearray(release)
        damaged[at] ^= 1
        refused(config, tmp_path, bytes(damaged), "not signed with this device's key")
    for n in (0, 5, len(MAGIC), len(MAGIC) + SIGNATURE_BYTES, 200, len(release) - 1):
        refused(config, tmp_path, release[:n], "not a signed release|not signed")
    refused(config, tmp_path, release + b"x", "not signed")


def test_another_persons_signature_is_refused(
    config: Config, tmp_path: Path, newer: Bundle, audio: np.ndarray
) -> None:
    theirs = make_release(newer, audio, Ed25519PrivateKey.generate(), 100, 20.0)[1]
    refused(config, tmp_path, theirs, "not signed with this device's key")


def test_an_older_release_is_refused_also_one_that_was_rolled_back(
    config: Config, tmp_path: Path, release: bytes
) -> None:
    take(config, saved(tmp_path, release))
    refused(config, tmp_path, release, "has had release 100")
    refused(config, tmp_path, signed_again(release, {"serial": 99}), "takes newer ones only")
    config.update.of(NAME).roll_back("test")
    refused(config, tmp_path, release, "has had release 100")


def test_a_release_of_another_bundle_or_phrase_is_refused(
    config: Config, tmp_path: Path, bundle: Bundle, audio: np.ndarray
) -> None:
    other = make_release(replace(bundle, name="robert_turn_off"), audio, KEY, 101, 20.0)[1]
    refused(config, tmp_path, other, "listens with: robert_turn_on")
    manifest = replace(bundle.manifest, wake_word="Hey thief")
    other = make_release(replace(bundle, manifest=manifest), audio, KEY, 101, 20.0)[1]
    refused(config, tmp_path, other, "wakes at 'Hey thief'")


def test_a_failed_self_test_is_refused(config: Config, tmp_path: Path, release: bytes) -> None:
    golden = unseal(release, public_key(KEY), "test").release.golden
    for wrong in (
        replace(golden, detections_s=()),
        replace(golden, scores=tuple(1.0 for _ in golden.scores)),
        replace(golden, scores=golden.scores[1:]),
    ):
        refused(config, tmp_path, signed_again(release, {"golden": wrong}), "self-test fails")


def test_without_a_key_nothing_is_taken(tmp_path: Path, release: bytes) -> None:
    with pytest.raises(WakewordError, match=r"\[update\], key"):
        take(Config(), saved(tmp_path, release))


def test_a_signed_file_of_any_content_is_read_or_refused_in_one_line(bundle: Bundle) -> None:
    """Whoever holds the key may still make mistakes; the parser behind the signature is fuzzed."""
    rng = np.random.default_rng(0)
    whole = make_small(bundle)
    body = whole[len(MAGIC) + SIGNATURE_BYTES :]
    header_end = 4 + int.from_bytes(body[:4], "little")
    table = json.loads(body[4:header_end])
    values = [None, -1, 0, 1.5, 1e400, "", "x" * 99, [], {}, {"model": -1}, [1e400], [[]], True]
    refused = 0
    for number in range(FUZZED):
        changed = bytearray(body)
        if number % 4 == 0:
            changed = bytearray(rng.bytes(rng.integers(300)))
        elif number % 4 == 1:
            del changed[rng.integers(len(changed)) :]
        elif number % 4 == 2:
            key = sorted(table)[rng.integers(len(table))]
            header = json.dumps({**table, key: values[rng.integers(len(values))]}).encode()
            changed[:header_end] = len(header).to_bytes(4, "little") + header
        else:
            for at in rng.integers(header_end + 3000, size=rng.integers(1, 6)):
                changed[at] = rng.integers(256)
        signature = KEY.sign(MAGIC + bytes(changed))
        try:
            unseal(MAGIC + signature + bytes(changed), public_key(KEY), "test")
        except WakewordError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > FUZZED // 2


def make_small(bundle: Bundle) -> bytes:
    """A release with a tenth of a second of golden audio."""
    golden = Golden((), (0.0, 0.0, 0.0))
    parts = dict.fromkeys(PARTS, 0)
    header = Release(1, bundle.name, bundle.phrase, 7, "2026-11-24", 20.0, golden, parts)
    return seal(header, bundle, np.zeros(1600, np.int16), KEY)


def test_keys_are_for_their_owner_and_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, out = tmp_path / "key.pem", tmp_path / "update.wakeword"
    assert main(["export", "key", str(key)]) == 0
    public = capsys.readouterr().out
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert main(["export", "key", str(key)]) == 0
    assert capsys.readouterr().out == public and key.read_bytes() == before
    assert main(["export", "update", NAME, "--key", str(key), "-o", str(out)]) == 0
    assert "wakes " in capsys.readouterr().out
    one = unseal(out.read_bytes(), public.split('"')[1], "test")
    assert one.release.name == NAME
