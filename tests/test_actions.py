"""What a detection does: real servers, a real broker, gpiozero's own mock pins."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from soundcard import LIMIT_S, until

from wakeword.actions.gpio import GpioAction, GpioSpec, Pins
from wakeword.actions.mqtt import MqttAction, MqttSpec
from wakeword.actions.outbox import Outbox
from wakeword.actions.webhook import WebhookAction, WebhookSpec
from wakeword.actions.when import Conditional, When
from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.errors import WakewordError
from wakeword.secret import read_secret

ON = Detection("robert_turn_on", "Robert turn on", 0.9876, 12.3456, 12.0)
OFF = replace(ON, name="robert_turn_off", phrase="Robert turn off")


class Noted:
    """An action that notes what it was asked."""

    def __init__(self) -> None:
        self.fired: list[Detection] = []

    def fire(self, detection: Detection) -> None:
        self.fired.append(detection)

    def tend(self) -> None: ...

    def close(self) -> None: ...


# --- when -----------------------------------------------------------------------------------------


def test_an_action_fires_for_its_phrases_only() -> None:
    noted = Noted()
    action = Conditional(noted, When(phrases=("robert_turn_on",)))
    action.fire(OFF)
    action.fire(ON)
    assert noted.fired == [ON]


def test_an_action_does_not_fire_again_within_its_refractory_time() -> None:
    noted, every = Noted(), Noted()
    slow, quick = Conditional(noted, When(refractory_s=3600)), Conditional(every, When())
    for _ in range(3):
        slow.fire(ON)
        quick.fire(ON)
    assert len(noted.fired) == 1 and len(every.fired) == 3


@pytest.mark.parametrize(
    ("hours", "clock", "quiet"),
    [
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "03:00", True),
        ("22:00-07:00", "07:00", False),
        ("13:00-14:30", "14:29", True),
        ("13:00-14:30", "14:30", False),
        ("", "03:00", False),
    ],
)
def test_quiet_hours_may_pass_midnight(hours: str, clock: str, quiet: bool) -> None:
    assert When(quiet_hours=hours).is_quiet(time.strptime(clock, "%H:%M")) is quiet


def test_quiet_hours_that_are_no_span_are_refused() -> None:
    for hours in ("22-7", "25:00-07:00", "at night"):
        with pytest.raises(ValueError, match="expected a span"):
            When(quiet_hours=hours)


# --- outbox ---------------------------------------------------------------------------------------


def test_a_full_outbox_drops_the_oldest_and_keeps_the_order() -> None:
    outbox = Outbox(limit=3, max_age_s=3600)
    for number in range(5):
        outbox.put(replace(ON, time_s=float(number)))
    assert [d.time_s for d in iter(outbox.get, None)] == [2.0, 3.0, 4.0]
    assert outbox.dropped == 2


def test_what_waited_too_long_is_not_sent() -> None:
    outbox = Outbox(limit=3, max_age_s=0.0)
    outbox.put(ON)
    time.sleep(0.01)
    assert outbox.get() is None and outbox.dropped == 1


# --- secrets --------------------------------------------------------------------------------------


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("open sesame\n")
    path.chmod(0o644)
    with pytest.raises(WakewordError, match=f"chmod 600 {path}"):
        read_secret(str(path))
    path.chmod(0o600)
    assert read_secret(str(path)) == "open sesame"


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME", "open")
    assert read_secret("env:SESAME") == "open"
    monkeypatch.delenv("SESAME")
    with pytest.raises(WakewordError, match="no SESAME"):
        read_secret("env:SESAME")


# --- webhook --------------------------------------------------------------------------------------


class Web:
    """An HTTP server that answers with the statuses given, the last one for ever."""

    def __init__(self, *statuses: int, context: ssl.SSLContext | None = None):
        self.got: list[tuple[dict[str, str], Any]] = []
        left = list(statuses)
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.got.append((dict(self.headers), json.loads(body)))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    made: list[Web] = []

    def make(*statuses: int, **more: Any) -> Web:
        made.append(Web(*statuses, **more))
        return made[-1]

    yield make
    for server in made:
        server.server.shutdown()
        server.server.server_close()


def test_a_webhook_gets_the_detection_as_json(web: Callable[..., Web]) -> None:
    server, told = web(200), []
    action = WebhookAction(WebhookSpec(url=f"http://127.0.0.1:{server.port}/x?y=1"), told.append)
    action.fire(ON)
    until(lambda: server.got)
    action.close()
    assert server.got[0][1]["phrase"] == "Robert turn on" and server.got[0][1]["score"] == ON.score
    assert told == []


def test_a_webhook_tries_again_after_a_server_error_and_keeps_the_order(
    web: Callable[..., Web],
) -> None:
    server, told = web(503, 200), []
    action = WebhookAction(WebhookSpec(url=f"http://127.0.0.1:{server.port}/"), told.append)
    action.fire(ON)
    action.fire(OFF)
    until(lambda: len(server.got) == 3)
    action.close()
    assert [body["name"] for _, body in server.got] == [ON.name, ON.name, OFF.name]
    assert told == []


@pytest.mark.parametrize("status", [302, 404])
def test_a_webhook_that_is_refused_or_sent_elsewhere_is_told_and_not_tried_again(
    web: Callable[..., Web], status: int
) -> None:
    server, told = web(status), []
    action = WebhookAction(WebhookSpec(url=f"http://127.0.0.1:{server.port}/secret"), told.append)
    action.fire(ON)
    until(lambda: told)
    action.close()
    assert len(server.got) == 1 and str(status) in told[0] and "/secret" not in told[0]


def test_a_webhook_that_hangs_holds_up_nothing_and_is_told() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # accepts, and never answers
        port = hanging.getsockname()[1]
        spec = WebhookSpec(url=f"http://127.0.0.1:{port}/", timeout_s=0.2, attempts=1)
        action = WebhookAction(spec, told.append)
        action.fire(ON)
        assert not told  # fire() has come back before the time is out
        until(lambda: told)
        action.close()
    assert "not delivered" in told[0]


def test_a_webhook_shows_its_secret_over_https_only_and_checks_the_certificate(
    web: Callable[..., Web], certificate: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame")
    secret.chmod(0o600)
    with pytest.raises(ValueError, match="use https://"):
        WebhookSpec(url="http://example.org/", secret=str(secret))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server, told = web(200, context=context), []
    spec = WebhookSpec(url=f"https://localhost:{server.port}/", secret=str(secret), attempts=1)
    strict = WebhookAction(spec, told.append)
    strict.fire(ON)
    until(lambda: told)
    strict.close()
    assert "CERTIFICATE_VERIFY_FAILED" in told[0] and not server.got
    action = WebhookAction(replace(spec, ca_file=str(certificate)), told.append)
    action.fire(ON)
    until(lambda: server.got)
    action.close()
    assert server.got[0][0]["X-Wakeword-Secret"] == "sesame"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody else signed, its key beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt install openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"


# --- GPIO -----------------------------------------------------------------------------------------


@pytest.fixture
def pin_factory() -> Iterator[Any]:
    """gpiozero's mock pins."""
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    before, Device.pin_factory = Device.pin_factory, MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before


def test_two_phrases_switch_one_lamp_on_and_off(pin_factory: Any) -> None:
    pins, told = Pins(), []
    lamp = [
        Conditional(GpioAction(GpioSpec(pin=17, do="on"), pins, told.append), When(phrases=(ON.name,))),
        Conditional(GpioAction(GpioSpec(pin=17, do="off"), pins, told.append), When(phrases=(OFF.name,))),
    ]  # fmt: skip
    pin = pin_factory.pin(17)
    states = []
    for detection in (ON, ON, OFF, ON):
        for action in lamp:
            action.fire(detection)
        states.append(bool(pin.state))
    assert states == [True, True, False, True] and told == []
    for action in lamp:
        action.close()


def test_a_pulse_ends_by_itself_and_a_relay_may_be_inverted(pin_factory: Any) -> None:
    spec = GpioSpec(pin=4, do="pulse", pulse_s=0.05, active_high=False)
    action = GpioAction(spec, Pins(), print)
    pin = pin_factory.pin(4)
    assert pin.state, "an inverted relay rests at high"
    pin.clear_states()
    action.fire(ON)
    until(lambda: len(pin.states) >= 3)
    assert [bool(s.state) for s in pin.states] == [True, False, True]
    action.close()


def test_a_pin_that_is_not_there_is_one_line(pin_factory: Any) -> None:
    with pytest.raises(WakewordError, match="pin 99"):
        GpioAction(GpioSpec(pin=99, do="on"), Pins(), print)


# --- MQTT -----------------------------------------------------------------------------------------


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
