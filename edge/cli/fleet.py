"""`maskcam fleet`: all cameras on a broker."""

from __future__ import annotations

import argparse
import dataclasses
import json
from functools import partial
from typing import Any

from edge.cli.arguments import command, load, positive, settings
from edge.core.errors import ConfigError


def add(commands: Any) -> None:
    parser = command(
        commands,
        "fleet",
        run,
        "show all cameras on an MQTT broker: state, version, last alert",
        "maskcam fleet --host broker.local",
    )
    parser.description = (
        f"{parser.description}\n\nReads the retained messages of the cameras and sends nothing.\n"
        "The connection is that of [sinks.mqtt] in the settings; --host and --port override it."
    )
    settings(parser)
    parser.add_argument("--host", help="of the broker, instead of sinks.mqtt.host")
    parser.add_argument("--port", type=int, help="of the broker, instead of sinks.mqtt.port")
    parser.add_argument(
        "--topic", action="append", default=[], help="what the cameras' topics begin with (maskcam); may be repeated"
    )
    parser.add_argument(
        "--wait", type=positive(float), default=1.0, metavar="S", help="without a message, until all have spoken (1)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    from edge.assemble import resolve
    from edge.operations import fleet

    section = load(args, sinks__mqtt__host=args.host, sinks__mqtt__port=args.port).sinks.mqtt
    if section is None:
        raise ConfigError("no broker is known: expected --host NAME, or a section [sinks.mqtt] in the settings")
    wanted = {"host", "port", "username", "password_file", "tls", "ca_file", "cert_file", "key_file", "timeout"}
    broker = partial(resolve("edge.sinks.mqtt_client:Broker"), **section.model_dump(include=wanted))
    found = fleet.gather(broker, args.topic or ["maskcam"], args.wait)
    if args.json:
        print(json.dumps([dataclasses.asdict(camera) for camera in found], indent=1))
    elif found:
        print(fleet.render(found))
    else:
        print(f"no camera has published anything below {' or '.join(args.topic or ['maskcam'])}")
    return 0
