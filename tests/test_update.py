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

from firmware_export.update import make_release, public_key
from wakeword.bundle import Bundle
from wakeword.cli import main
from wakeword.config import Config
from wakeword.detector import Detector
from wakeword.errors import WakewordError
from wakeword.installed import Installed
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
from wakeword.trial import Trials, begin
from wakeword.update import take

KEY = Ed25519PrivateKey.generate()
NAME = "robert_turn_on"
SAMPLE_RATE = 16_000
FUZZED = 10_000  # inputs


@pytest.fixture(scope="module")
def audio(recording: np.ndarray, said: list[dict]) -> np.ndarray:
    """The phrase, and what was said around it."""
    loudest = [s for s in said if s["wake"]][-1]
    first = round((loudest["start_s"] - 1) * SAMPLE_RATE)
    return recording[first : first + 5 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(NAME)


@pytest.fixture(scope="module")
def newer(bundle: Bundle) -> Bundle:
    """Another release of the same phrase: a lower threshold."""
    micro = replace(bundle.manifest.micro, probability_cutoff=0.5)
    return replace(bundle, manifest=replace(bundle.manifest, micro=micro))


@pytest.fixture(scope="module")
def release(newer: Bundle, audio: np.ndarray) -> bytes:
    return make_release(newer, audio, KEY, 100, 20.0)[1]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A device that trusts KEY."""
    path = tmp_path / "wakeword.toml"
    path.write_text(f'[update]\nkey = "{public_key(KEY)}"\nfolder = "{tmp_path / "models"}"\n')
    return Config.load(path)


def saved(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "release.wakeword"
    path.write_bytes(data)
    return str(path)


def signed_again(data: bytes, change: object) -> bytes:
    """The release with another header, signed with the right key all the same."""
    one = unseal(data, public_key(KEY), "test")
    return seal(replace(one.release, **change), one.bundle, one.golden_audio, KEY)  # type: ignore[arg-type]


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


class Home:
    """A listener with an update folder, and what it has said."""

    def __init__(self, config: Config):
        self.config, self.said = config, list[str]()
        self.start()

    def start(self) -> None:
        models = begin(self.config.update, self.config.detector.models, self.said.append)
        self.detector = Detector.load(*models)
        self.trials = Trials(
            self.config.update, self.config.detector.models, self.detector, self.said.append, 0.0
        )

    def hear(self, audio: np.ndarray) -> None:
        for block in np.array_split(audio, max(1, len(audio) // SAMPLE_RATE)):
            for detection in self.detector.push(block):
                self.trials.fire(detection)
            self.trials.tend()

    @property
    def threshold(self) -> float:
        return self.detector.thresholds[NAME]

    @property
    def installed(self) -> Installed:
        return self.config.update.of(NAME)


def test_a_release_is_taken_over_while_listening_and_kept_after_its_hour(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    home = Home(config)
    home.hear(audio)
    heard_s = home.detector.time_s
    take(config, saved(tmp_path, release))
    home.hear(np.concatenate((np.zeros(SAMPLE_RATE, np.int16), audio)))
    assert home.threshold == 0.5 and home.detector.time_s > heard_s
    assert home.said == ["robert_turn_on: release 100 installed",
                         "the models were replaced; the new ones are listening"]  # fmt: skip
    for _ in range(61):
        home.hear(np.zeros(60 * SAMPLE_RATE, np.int16))
    state = home.installed.state()
    assert not state.on_trial and state.wakes >= 1
    assert home.said[2].startswith("robert_turn_on: release 100 kept after its first hour")


def test_a_release_that_wakes_too_often_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    home = Home(config)
    before = home.threshold
    take(config, saved(tmp_path, signed_again(release, {"most_wakes_per_hour": 2.0})))
    for _ in range(4):
        home.hear(audio)
    home.trials.tend()
    assert home.threshold == before
    assert "rolled back to the configuration's own bundle: 3 wakes in 0 minutes" in home.said[2]


class Stuck(Detector):
    """Its networks run, and their scores stand still."""

    scores = property(lambda self: {NAME: 0.0})  # type: ignore[assignment]


def test_a_release_that_gives_no_score_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("wakeword.trial.DEAF_S", 3.0)
    home = Home(config)
    home.detector.__class__ = Stuck
    take(config, saved(tmp_path, release))
    for _ in range(3):
        home.hear(audio)
    assert any("its score stood still" in line for line in home.said)
    assert home.installed.state().current == 0 and home.threshold != 0.5


def test_a_release_that_crashes_the_listener_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes
) -> None:
    take(config, saved(tmp_path, release))
    home = Home(config)
    home.trials.ended()  # an orderly end does not count
    for _ in range(2):
        home.start()
        assert home.threshold == 0.5
    home.start()
    assert home.threshold != 0.5
    assert "listening ended 2 times by itself" in home.said[-1]


def test_an_installed_release_that_does_not_load_is_rolled_back(
    config: Config, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    take(config, saved(tmp_path, release))
    path = config.update.of(NAME).bundle_path()
    assert path
    path.with_suffix(".tflite").write_bytes(b"rubbish")
    home = Home(config)
    assert home.threshold != 0.5 and "rolled back" in home.said[0]


def test_the_last_good_release_is_kept_and_older_ones_are_not(
    config: Config, tmp_path: Path, release: bytes
) -> None:
    installed = config.update.of(NAME)
    for serial in (101, 102, 103):
        take(config, saved(tmp_path, signed_again(release, {"serial": serial})))
        installed.keep()
    assert sorted(p.name for p in installed.folder.iterdir() if p.is_dir()) == ["102", "103"]
    take(config, saved(tmp_path, signed_again(release, {"serial": 104})))
    assert installed.roll_back("test").current == 103


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
