"""The page to look at: what it shows, to whom, and what Prometheus reads."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import browsing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from soundcard import SoundCard, soundcard, until  # noqa: F401
from test_listen import Listening

from wakeword.dashboard import Dashboard, DashboardSpec
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import WakewordError
from wakeword.microphone import Microphone

NAME = "robert_turn_on"
HEARD = Detection(NAME, "<b>Robert</b> turn on", 0.93, 12.0, 11.0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def dashboard(recording: np.ndarray) -> Iterator[Dashboard]:
    """A page that has seen some of the recording, and a detection."""
    detector = Detector.load(NAME)
    spec = DashboardSpec(port=free_port())
    made = Dashboard(spec, detector, Microphone(), lambda: {"level": 0.31, "score": 0.04})
    for start in range(0, 20 * 16_000, 1600):
        block = recording[start : start + 1600]
        detector.push(block)
        made._point_at = 0.0  # a point a block: the audio comes faster than in real time
        made.hear(block)
    made.fire(HEARD)
    yield made
    made.close()


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_the_state_says_what_was_heard(dashboard: Dashboard) -> None:
    status, text = get(dashboard.spec.port, "/state")
    state = json.loads(text)
    assert status == 200 and state["phrases"] == {NAME: "Robert turn on"}
    assert state["heard_s"] == pytest.approx(20, abs=0.1) and state["counts"] == {NAME: 1}
    assert state["detections"][0]["score"] == 0.93
    assert state["drift"] == {"level": 0.31, "score": 0.04}
    history = state["history"]
    assert len(history["gate"]) == len(history["level_dbfs"]) == len(history["scores"][NAME]) == 200
    assert any(history["gate"]) and max(history["level_dbfs"]) > -60


def test_prometheus_reads_the_metrics(dashboard: Dashboard) -> None:
    status, text = get(dashboard.spec.port, "/metrics")
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert status == 200
    (sample,) = families["wakeword_detections"].samples
    assert sample.labels == {"name": NAME} and sample.value == 1
    drift = {s.labels["of"]: s.value for s in families["wakeword_drift"].samples}
    assert drift == {"level": 0.31, "score": 0.04}
    assert families["wakeword_microphone_up"].samples[0].value == 1
    assert families["wakeword_heard_seconds"].samples[0].value == pytest.approx(20, abs=0.1)


def test_a_page_of_others_cannot_look_in_by_a_name_of_its_own(dashboard: Dashboard) -> None:
    assert get(dashboard.spec.port, "/state", Host="evil.example")[0] == 403
    assert get(dashboard.spec.port, "/state", Host="[::1")[0] == 403
    assert get(dashboard.spec.port, "/state", Host="localhost:1")[0] == 200


def test_on_the_network_a_token_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give a token"):
        DashboardSpec(port=1, host="0.0.0.0")
    token = tmp_path / "token"
    token.write_text("sesame")
    token.chmod(0o600)
    spec = DashboardSpec(port=free_port(), host="0.0.0.0", token=str(token))
    dashboard = Dashboard(spec, Detector.load(NAME), Microphone())
    try:
        assert get(spec.port, "/state")[0] == 401
        assert get(spec.port, "/state?token=abracadabra")[0] == 401
        assert get(spec.port, "/state?token=sesame", Host="kitchen:1")[0] == 200
        assert get(spec.port, "/metrics", Authorization="Bearer sesame")[0] == 200
    finally:
        dashboard.close()


def test_without_a_port_nothing_listens_and_a_port_in_use_is_told() -> None:
    dashboard = Dashboard(DashboardSpec(), Detector.load(NAME), Microphone())
    assert dashboard._server is None
    dashboard.close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        spec = DashboardSpec(port=taken.getsockname()[1])
        with pytest.raises(WakewordError, match="cannot listen"):
            Dashboard(spec, Detector.load(NAME), Microphone())


@pytest.mark.parametrize("path", ["/../secret.py", "/page/", "/state/", "//etc/passwd", "/%2e%2e/"])
def test_no_other_file_can_be_had(dashboard: Dashboard, path: str) -> None:
    assert get(dashboard.spec.port, path)[0] == 404


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_as_a_request_harm_nothing(
    dashboard: Dashboard, data: bytes, is_get: bool
) -> None:
    with socket.create_connection(("127.0.0.1", dashboard.spec.port), 30) as link:
        link.sendall((b"GET /" + data + b" HTTP/1.1\r\n\r\n") if is_get else data + b"\r\n\r\n")
        link.shutdown(socket.SHUT_WR)
        while link.recv(4096):
            pass
    assert get(dashboard.spec.port, "/state")[0] == 200


def test_listening_serves_the_page_and_says_where(
    soundcard: SoundCard,
    tmp_path: Path,
) -> None:
    port, config = free_port(), tmp_path / "wakeword.toml"
    config.write_text(f"[dashboard]\nport = {port}\n")
    listening = Listening({**os.environ, **soundcard.variables}, "--json", "--config", str(config))
    until(lambda: listening.errors)
    assert f"http://127.0.0.1:{port}/" in listening.errors[0]
    until(lambda: json.loads(get(port, "/state")[1])["heard_s"] > 0)
    assert get(port, "/")[0] == 200 and get(port, "/dashboard.js")[0] == 200
    assert listening.end() == 0


def test_a_browser_shows_curve_and_detection_and_runs_nothing_of_a_phrase(
    dashboard: Dashboard,
) -> None:
    with browsing(None, width_px=400) as visitor:
        visitor.driver.get(dashboard.url)
        visitor.until(lambda: "0.93" in visitor.text("#detections"))
        assert "<b>Robert</b> turn on" in visitor.text("#detections"), "shown as it is, not run"
        assert visitor.text("#phrases") == "Robert turn on"
        assert visitor.text("#microphone") == "Listening."
        assert visitor.text("#drift") == "level 0.31 (moved), score 0.04"
        painted = """
            const canvas = document.getElementById(arguments[0]);
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return data.filter((value, i) => i % 4 === 3 && value > 0).length;
        """
        assert visitor.driver.execute_script(painted, "scores") > 1000
        assert visitor.driver.execute_script(painted, "levels") > 500
        assert not visitor.overflows()
        assert [e for e in visitor.driver.get_log("browser") if e["level"] == "SEVERE"] == []
        dashboard.close()
        visitor.until(lambda: "No answer" in visitor.text("#microphone"))
