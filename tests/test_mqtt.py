"""MQTT, to a real mosquitto."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate  # noqa: F401
from soundcard import LIMIT_S, until

from wakeword.actions.mqtt import MqttAction, MqttSpec
from wakeword.bundle import Bundle
from wakeword.decision import Detection

ON = Detection("robert_turn_on", "Robert turn on", 0.9876, 12.3456, 12.0)


class Broker:
    """A real mosquitto, and what it was told."""

    def __init__(self, folder: Path, port: int, *lines: str):
        self.port = port
        self._conf = folder / "mosquitto.conf"
        self._conf.write_text("\n".join((f"listener {port} 127.0.0.1", *lines)) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which(
            "mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
        )
        self._process = subprocess.Popen(
            [str(program), "-c", str(self._conf)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Home Assistant's part: subscribed to everything."""

    def __init__(self, port: int, **options: Any):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.got: list[tuple[str, str]] = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        if "ca" in options:
            self.client.tls_set(ca_certs=str(options["ca"]))
            self.client.username_pw_set("ha", "sesame")
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda c, d, m: self.got.append((m.topic, m.payload.decode()))
        self.client.reconnect_delay_set(1, 1)
        self.ready = threading.Event()
        self.client.connect("localhost" if "ca" in options else "127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(LIMIT_S)

    def payloads(self, topic: str) -> list[str]:
        return [payload for t, payload in list(self.got) if t == topic]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def mosquitto(folder: Path, *lines: str) -> Broker:
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None:
        pytest.skip("needs mosquitto: apt install mosquitto")
    broker = Broker(folder, free_port(), *lines)
    broker.start()
    return broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = mosquitto(tmp_path, "allow_anonymous true")
    yield made
    made.stop()


BUNDLES = [Bundle.load("robert_turn_on")]


def tended_until(action: MqttAction, condition: Callable[[], object]) -> None:
    until(lambda: (action.tend(), condition())[1])


def test_home_assistant_finds_the_phrase_and_hears_of_a_detection(broker: Broker) -> None:
    home, told = Listener(broker.port), []
    spec = MqttSpec(host="127.0.0.1", port=broker.port, node="kitchen")
    action = MqttAction(spec, BUNDLES, told.append, lambda: {"audio_lost": 3})
    action.fire(ON)
    tended_until(action, lambda: home.payloads("wakeword/kitchen/robert_turn_on/event"))
    tended_until(action, lambda: home.payloads("wakeword/kitchen/diagnostics"))
    (config,) = home.payloads("homeassistant/event/kitchen/robert_turn_on/config")
    found = json.loads(config)
    assert found["name"] == "Robert turn on" and found["event_types"] == ["heard"]
    event = json.loads(home.payloads(found["state_topic"])[0])
    assert event["event_type"] == "heard" and event["score"] == ON.score
    assert home.payloads(found["availability_topic"]) == ["online"]
    (lost,) = home.payloads("homeassistant/sensor/kitchen/audio_lost/config")
    assert json.loads(lost)["state_topic"] == "wakeword/kitchen/diagnostics"
    action.close()
    until(lambda: home.payloads(found["availability_topic"]) == ["online", "offline"])
    home.close()
    assert told == []


def test_the_broker_tells_when_the_device_dies(broker: Broker) -> None:
    home = Listener(broker.port)
    action = MqttAction(MqttSpec(host="127.0.0.1", port=broker.port), BUNDLES, print)
    until(lambda: "online" in home.payloads("wakeword/wakeword/status"))
    action._client.socket().shutdown(socket.SHUT_RDWR)  # as when the power fails
    until(lambda: "offline" in home.payloads("wakeword/wakeword/status"))
    action.close()
    home.close()


def test_a_line_that_is_cut_at_the_last_moment_does_not_keep_from_closing(broker: Broker) -> None:
    home = Listener(broker.port)
    for _ in range(5):
        action = MqttAction(MqttSpec(host="127.0.0.1", port=broker.port), BUNDLES, print)
        until(action._client.is_connected)
        action._client.socket().shutdown(socket.SHUT_RDWR)
        action.close()
        assert not action._client.is_connected()
    until(lambda: home.payloads("wakeword/wakeword/status")[-1:] == ["offline"])
    home.close()


def test_what_is_heard_while_the_broker_is_down_comes_later_in_order(broker: Broker) -> None:
    home, told = Listener(broker.port), []
    spec = MqttSpec(host="127.0.0.1", port=broker.port, max_age_s=3600.0, entity="event")
    action = MqttAction(spec, BUNDLES, told.append)
    tended_until(action, lambda: home.payloads("wakeword/wakeword/status"))
    broker.stop()
    until(lambda: told)
    for number in range(5):
        action.fire(replace(ON, time_s=float(number)))
    home.close()
    broker.start()
    home = Listener(broker.port)
    topic = "wakeword/wakeword/robert_turn_on/event"
    tended_until(action, lambda: len(home.payloads(topic)) >= 5)
    assert [json.loads(p)["time_s"] for p in home.payloads(topic)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(told) == 2 and "not connected" in told[0] and told[1].endswith(": connected")
    action.close()
    home.close()


def test_a_binary_sensor_goes_on(broker: Broker) -> None:
    home = Listener(broker.port)
    spec = MqttSpec(host="127.0.0.1", port=broker.port, entity="binary_sensor")
    action = MqttAction(spec, BUNDLES, print)
    action.fire(ON)
    tended_until(action, lambda: home.payloads("wakeword/wakeword/robert_turn_on/state"))
    found = json.loads(
        home.payloads("homeassistant/binary_sensor/wakeword/robert_turn_on/config")[0]
    )
    assert home.payloads(found["state_topic"]) == ["ON"] and found["off_delay"] == 1
    action.close()
    home.close()


def test_tls_and_password_reach_the_broker_and_a_wrong_password_is_told(
    tmp_path: Path, certificate: Path
) -> None:
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "ha", "sesame"], check=True)
    users.chmod(0o644)
    broker = mosquitto(
        tmp_path,
        "allow_anonymous false",
        f"password_file {users}",
        f"certfile {certificate}",
        f"keyfile {certificate.with_name('key.pem')}",
        "user root",
    )
    password, wrong = tmp_path / "password", tmp_path / "wrong"
    for path, text in ((password, "sesame"), (wrong, "abracadabra")):
        path.write_text(text)
        path.chmod(0o600)
    try:
        home = Listener(broker.port, ca=certificate)
        spec = MqttSpec(
            host="localhost", port=broker.port, tls=True, ca_file=str(certificate),
            username="ha", password=str(password),
        )  # fmt: skip
        action = MqttAction(spec, BUNDLES, print)
        action.fire(ON)
        tended_until(action, lambda: home.payloads("wakeword/wakeword/robert_turn_on/event"))
        action.close()
        home.close()
        told: list[str] = []
        refused = MqttAction(replace(spec, password=str(wrong)), BUNDLES, told.append)
        until(lambda: told)
        assert "Not authorized" in told[0] or "Bad user name" in told[0]
        refused.close()
    finally:
        broker.stop()
