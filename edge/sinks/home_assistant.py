"""The discovery messages of Home Assistant: a retained message per entity.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from typing import Any

from edge.core.records import STATES, Origin


def entities(prefix: str, topic: str, id: str, who: Origin) -> dict[str, dict[str, Any]]:
    """Discovery topic -> configuration of an entity. `topic`: prefix of the camera's topics."""
    name = " ".join(part for part in (who.device, who.camera) if part) or "maskcam"
    device = {"identifiers": [f"maskcam_{id}"], "name": name, "manufacturer": "maskcam", "model": "mask camera"}
    if who.software:
        device["sw_version"] = f"{who.software} ({who.bundle})" if who.bundle else who.software
    available = {"availability_topic": f"{topic}/available"}
    found: dict[str, dict[str, Any]] = {
        "binary_sensor/online": {
            "name": "Online",
            "state_topic": f"{topic}/available",
            "payload_on": "online",
            "payload_off": "offline",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
        },
        "binary_sensor/alert": {
            "name": "Alert",
            "state_topic": f"{topic}/alert",
            "payload_on": "on",
            "payload_off": "off",
            "device_class": "problem",
            **available,
        },
        "sensor/state": {
            "name": "State",
            "state_topic": f"{topic}/state",
            "device_class": "enum",
            "options": list(STATES),
            "entity_category": "diagnostic",
            **available,
        },
        "sensor/people": {
            "name": "People",
            "icon": "mdi:account-group",
            "state_topic": f"{topic}/counts",
            "value_template": "{{ value_json.present }}",
            "state_class": "measurement",
            **available,
        },
        "sensor/people_today": {
            "name": "People today",
            "icon": "mdi:counter",
            "state_topic": f"{topic}/counts",
            "value_template": "{{ value_json.people }}",
            "state_class": "total_increasing",
            **available,
        },
        "sensor/mask_share": {
            "name": "Mask share today",
            "icon": "mdi:face-mask",
            "state_topic": f"{topic}/counts",
            "value_template": "{{ value_json.mask_share }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            **available,
        },
        "sensor/last_alert": {
            "name": "Last alert",
            "state_topic": f"{topic}/last_alert",
            "value_template": "{{ value_json.time }}",
            "device_class": "timestamp",
            **available,
        },
        "switch/snooze": {
            "name": "Snooze",
            "icon": "mdi:bell-sleep",
            "state_topic": f"{topic}/snooze",
            "command_topic": f"{topic}/snooze/set",
            "payload_on": "on",
            "payload_off": "off",
            **available,
        },
    }
    return {
        f"{prefix}/{kind}/maskcam_{id}/{object}/config": config
        | {"unique_id": f"maskcam_{id}_{object}", "device": device}
        for (kind, object), config in ((key.split("/"), config) for key, config in found.items())
    }
