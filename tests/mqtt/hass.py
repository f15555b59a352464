"""Home Assistant Core with its MQTT integration, in its own environment: run by its Python, not by ours.

    python hass.py FOLDER BROKER_PORT HTTP_PORT

Says "ready", then answers each line on standard input with one: "states" (all of maskcam's entities), "on ENTITY" and
"off ENTITY" (the switch is turned). Speaks to loopback only; nothing else of Home Assistant is set up.
"""

import asyncio
import json
import sys
from pathlib import Path

from homeassistant import auth, bootstrap, config_entries, core, loader
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.setup import async_setup_component


async def main(folder: str, broker: int, port: int) -> None:
    (Path(folder) / "configuration.yaml").touch()
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    for domain, config in (("homeassistant", {}), ("http", {"server_host": ["127.0.0.1"], "server_port": port})):
        assert await async_setup_component(hass, domain, {domain: config}), domain
    await hass.config_entries.async_add(
        config_entries.ConfigEntry(
            version=1,
            minor_version=1,
            domain="mqtt",
            title="broker",
            data={"broker": "127.0.0.1", "port": broker, "discovery": True},
            source=config_entries.SOURCE_USER,
        )
    )
    await hass.async_start()
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        await hass.async_block_till_done()
        verb, _, entity = line.partition(" ")
        if verb in ("on", "off"):
            await hass.services.async_call("switch", f"turn_{verb}", {"entity_id": entity}, blocking=True)
        print(json.dumps(states(hass)), flush=True)
    await hass.async_stop(force=True)


def states(hass: core.HomeAssistant) -> dict:
    """By unique id: entity id, state, attributes, and the device it belongs to."""
    entities, devices = entity_registry.async_get(hass), device_registry.async_get(hass)
    found = {}
    for entry in entities.entities.values():
        state, device = hass.states.get(entry.entity_id), devices.async_get(entry.device_id)
        found[entry.unique_id] = {
            "entity": entry.entity_id,
            "state": state and state.state,
            "attributes": {k: str(v) for k, v in (state.attributes if state else {}).items()},
            "device": {"name": device.name, "software": device.sw_version, "maker": device.manufacturer},
        }
    return found


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
