"""Tell an MQTT broker, in the way that Home Assistant discovers by itself.

Topics, with NODE the name of this device and NAME that of a bundle:

    PREFIX/event/NODE/NAME/config   discovery, retained; or PREFIX/binary_sensor/...
    PREFIX/sensor/NODE/.../config   the diagnostics' discovery, retained
    wakeword/NODE/status            "online" or "offline", retained; the broker's last will
    wakeword/NODE/NAME/event        the detection as JSON; or .../state: ON
    wakeword/NODE/diagnostics       JSON, once a minute
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from wakeword import __version__
from wakeword.actions.outbox import Outbox
from wakeword.actions.when import When
from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.errors import WakewordError
from wakeword.secret import read_secret

_WAITING = 100
_DIAGNOSTICS_S = 60.0
_CLOSING_S = 2.0
ENTITIES = ("event", "binary_sensor")
# key: (what Home Assistant calls it, unit, kind of statistics)
DIAGNOSTICS = {
    "microphone": ("Microphone", None, None),
    "audio_lost": ("Audio lost", None, "total_increasing"),
    "gate_duty": ("Gate open", "%", "measurement"),
}


@dataclass(frozen=True, kw_only=True)
class MqttSpec(When):
    """``[mqtt]`` of the configuration."""

    host: str
    port: int = 0  # 0: 1883, or 8883 with TLS
    username: str = ""
    password: str = ""  # "env:NAME" or a file's path
    tls: bool = False
    ca_file: str = ""  # empty: the system's certificates
    node: str = "wakeword"  # one for each device that listens
    entity: str = "event"  # or "binary_sensor": on for a second
    discovery_prefix: str = "homeassistant"
    max_age_s: float = 30.0  # what waited longer for the broker is dropped

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entity not in ENTITIES:
            raise ValueError(f"entity is {self.entity!r}; expected one of {', '.join(ENTITIES)}")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.node):
            raise ValueError(f"node is {self.node!r}; expected letters, digits, - and _")
        if not self.host:
            raise ValueError("host is empty; expected the broker's name or address")


class MqttAction:
    """Publishes over a connection that is kept, and made again, in the background.

    ``diagnostics`` gives the values of :data:`DIAGNOSTICS` when asked.
    """

    def __init__(
        self,
        spec: MqttSpec,
        bundles: Sequence[Bundle],
        report: Callable[[str], None],
        diagnostics: Callable[[], dict[str, Any]] = dict,
    ):
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError:
            raise WakewordError(
                "[mqtt] needs paho-mqtt; install it with: pip install 'wakeword[mqtt]'"
            ) from None
        self.spec = spec
        self._bundles = bundles
        self._report = report
        self._diagnostics = diagnostics
        self._diagnostics_at = float("-inf")
        self._outbox = Outbox(_WAITING, spec.max_age_s)
        self._dropped_told = 0
        self._failing = False
        self._client = client = Client(CallbackAPIVersion.VERSION2)
        client.enable_logger()
        if spec.username:
            password = read_secret(spec.password) if spec.password else None
            client.username_pw_set(spec.username, password)
        if spec.tls:
            import ssl

            try:
                client.tls_set_context(ssl.create_default_context(cafile=spec.ca_file or None))
            except OSError as error:
                raise WakewordError(f"[mqtt] ca_file {spec.ca_file}: {error}") from None
        client.will_set(self._topic("status"), "offline", qos=1, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = lambda *_: self._failed("no answer")
        client.on_disconnect = self._disconnected
        client.reconnect_delay_set(1, 30)
        client.connect_async(spec.host, spec.port or (8883 if spec.tls else 1883), keepalive=30)
        client.loop_start()

    def fire(self, detection: Detection) -> None:
        """Publish it, now or when the broker is there again."""
        self._outbox.put(detection)
        self.tend()

    def tend(self) -> None:
        """Publish what waits, and the diagnostics when it is time."""
        if not self._client.is_connected():
            return
        while len(self._outbox) and (detection := self._outbox.get()):
            self._publish_detection(detection)
        if self._outbox.dropped > self._dropped_told:
            count = self._outbox.dropped - self._dropped_told
            self._dropped_told += count
            self._report(f"mqtt {self.spec.host}: {count} detections were not sent in time")
        now = time.monotonic()
        if now - self._diagnostics_at >= _DIAGNOSTICS_S:
            self._diagnostics_at = now
            values = self._diagnostics()
            if values:
                self._client.publish(self._topic("diagnostics"), json.dumps(values), qos=0)

    def close(self) -> None:
        """Send what waits, say goodbye, and give both a moment."""
        self.tend()
        if self._client.is_connected():
            goodbye = self._client.publish(self._topic("status"), "offline", qos=1, retain=True)
            with suppress(RuntimeError, ValueError):  # the line was cut since: the will says it
                goodbye.wait_for_publish(_CLOSING_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _topic(self, *parts: str) -> str:
        return "/".join(("wakeword", self.spec.node, *parts))

    def _publish_detection(self, detection: Detection) -> None:
        if self.spec.entity == "event":
            payload = json.dumps({"event_type": "heard", **asdict(detection)}, ensure_ascii=False)
            self._client.publish(self._topic(detection.name, "event"), payload, qos=1)
        else:
            self._client.publish(self._topic(detection.name, "state"), "ON", qos=1)

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self._failed(str(reason))
            return
        if self._failing:
            self._failing = False
            self._report(f"mqtt {self.spec.host}: connected")
        for topic, config in self.discovery().items():
            client.publish(topic, json.dumps(config, ensure_ascii=False), qos=1, retain=True)
        client.publish(self._topic("status"), "online", qos=1, retain=True)
        self._diagnostics_at = float("-inf")

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self._failed(str(reason))

    def _failed(self, why: str) -> None:
        """Say once that the broker is away; the client goes on trying."""
        if not self._failing:
            self._failing = True
            self._report(f"mqtt {self.spec.host}: not connected ({why}); trying again and again")

    def discovery(self) -> dict[str, dict[str, Any]]:
        """Home Assistant's discovery: topic -> configuration of an entity."""
        spec = self.spec
        common = {
            "availability_topic": self._topic("status"),
            "device": {
                "identifiers": [f"wakeword_{spec.node}"],
                "name": spec.node,
                "model": "wakeword",
                "sw_version": __version__,
            },
        }
        found: dict[str, dict[str, Any]] = {}
        for bundle in self._bundles:
            if spec.entity == "event":
                own: dict[str, Any] = {
                    "state_topic": self._topic(bundle.name, "event"),
                    "event_types": ["heard"],
                }
            else:
                own = {
                    "state_topic": self._topic(bundle.name, "state"),
                    "device_class": "sound",
                    "off_delay": 1,
                }
            found[f"{spec.discovery_prefix}/{spec.entity}/{spec.node}/{bundle.name}/config"] = {
                "name": bundle.phrase,
                "unique_id": f"wakeword_{spec.node}_{bundle.name}",
                **own,
                **common,
            }
        for key, (name, unit, state_class) in DIAGNOSTICS.items():
            config = {
                "name": name,
                "unique_id": f"wakeword_{spec.node}_{key}",
                "state_topic": self._topic("diagnostics"),
                "value_template": f"{{{{ value_json.{key} }}}}",
                "entity_category": "diagnostic",
                "unit_of_measurement": unit,
                "state_class": state_class,
                **common,
            }
            topic = f"{spec.discovery_prefix}/sensor/{spec.node}/{key}/config"
            found[topic] = {k: v for k, v in config.items() if v is not None}
        return found
