#!/usr/bin/env python3
"""A Lambda-shaped cloud on loopback: the part of the API that SkyPilot speaks, whose launches boot `machine.sh`.

    python api.py FOLDER ADDRESS

FOLDER holds what it reads and writes: `catalog.csv` (SkyPilot's own list of what is offered where), `key` (the
API key), `cert.pem` (certificate and its key), `sold_out` (one `TYPE REGION` a line: no capacity there now; may
change at any time) and `calls.log` (what was asked for). Machines get addresses after ADDRESS, which is the API's
own. A machine that is taken away by hand (its process killed) disappears from the list, like a pre-empted one.
To HEAD it answers 200 to anybody, which is how SkyPilot asks 1.1.1.1 whether there is a network at all.
"""

from __future__ import annotations

import csv
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

BOOT = Path(__file__).with_name("machine.sh")
ROOT = "/api/v1"


@dataclass
class Machine:
    """One that was launched. Its process is the first of its own namespace: killing it ends everything on it."""

    id: str
    name: str
    kind: str
    region: str
    keys: list[str]
    address: str
    process: subprocess.Popen[bytes]

    def status(self) -> str:
        try:
            socket.create_connection((self.address, 22), timeout=1).close()
        except OSError:
            return "booting"
        return "active"

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "ip": self.address,
            "private_ip": self.address,
            "status": self.status(),
            "ssh_key_names": self.keys,
            "region": {"name": self.region},
            "instance_type": {"name": self.kind},
        }


class ApiError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Cloud:
    """All state: keys, machines, and what is sold out."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.keys: dict[str, str] = {}
        self.machines: dict[str, Machine] = {}
        self.next_address = IPv4Address(address) + 1

    def offers(self) -> dict[str, list[str]]:
        """Regions with capacity, by type of machine."""
        sold_out = {tuple(line.split()) for line in (self.folder / "sold_out").read_text().splitlines()}
        regions: dict[str, list[str]] = {}
        with (self.folder / "catalog.csv").open(newline="") as rows:
            for row in csv.DictReader(rows):
                free = regions.setdefault(row["InstanceType"], [])
                if (row["InstanceType"], row["Region"]) not in sold_out:
                    free.append(row["Region"])
        return regions

    def alive(self) -> list[Machine]:
        with self.lock:
            for machine in [one for one in self.machines.values() if one.process.poll() is not None]:
                del self.machines[machine.id]
            return list(self.machines.values())

    def launch(self, order: dict[str, Any]) -> dict[str, Any]:
        kind, region = order["instance_type_name"], order["region_name"]
        if region not in self.offers().get(kind, []):
            code = "instance-operations/launch/insufficient-capacity"
            raise ApiError(400, code, "Not enough capacity to fulfill launch request.")
        with self.lock:
            address, self.next_address = str(self.next_address), self.next_address + 1
            name = uuid.uuid4().hex
            folder = self.folder / "machines" / name
            folder.mkdir(parents=True)
            (folder / "authorized_keys").write_text("".join(self.keys[key] + "\n" for key in order["ssh_key_names"]))
            with (folder / "boot.log").open("wb") as log:
                process = subprocess.Popen(["bash", str(BOOT), str(folder), address], stdout=log, stderr=log)
            (folder / "pid").write_text(str(process.pid))
            self.machines[name] = Machine(
                name, order.get("name", ""), kind, region, order["ssh_key_names"], address, process
            )
        return {"instance_ids": [name]}

    def terminate(self, order: dict[str, Any]) -> dict[str, Any]:
        ended = [one for one in self.alive() if one.id in order["instance_ids"]]
        for machine in ended:
            machine.process.kill()
            machine.process.wait()
        self.alive()
        return {"terminated_instances": [{"id": machine.id, "status": "terminating"} for machine in ended]}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """The `data` of an answer."""
        match method, path:
            case "GET", "/instances":
                return [machine.to_json() for machine in self.alive()]
            case "GET", "/ssh-keys":
                return [{"id": name, "name": name, "public_key": key} for name, key in self.keys.items()]
            case "POST", "/ssh-keys":
                self.keys[body["name"]] = body["public_key"].strip()
                return {"id": body["name"], "name": body["name"], "public_key": body["public_key"]}
            case "GET", "/instance-types":
                return {
                    kind: {
                        "instance_type": {"name": kind},
                        "regions_with_capacity_available": [{"name": region} for region in regions],
                    }
                    for kind, regions in self.offers().items()
                }
            case "GET", "/firewall-rules":
                return []
            case "POST", "/instance-operations/launch":
                return self.launch(body)
            case "POST", "/instance-operations/terminate":
                return self.terminate(body)
        raise ApiError(404, "global/object-does-not-exist", f"no {method} {path}")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    cloud: Cloud
    key: str

    def respond(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = self.path.removeprefix(ROOT)
        try:
            if self.headers.get("Authorization") != f"Bearer {self.key}":
                raise ApiError(403, "global/invalid-api-key", "API key was invalid, expired, or deleted.")
            status, answer = 200, {"data": self.cloud.answer(self.command, path, body)}
        except ApiError as error:
            status, answer = error.status, {"error": {"code": error.code, "message": str(error)}}
        note = {"time": round(time.time()), "call": f"{self.command} {path}", "body": body, "status": status}
        with (self.cloud.folder / "calls.log").open("a") as log:
            log.write(json.dumps(note) + "\n")
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = respond  # noqa: N815 (the names are http.server's)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Calls are in calls.log."""


def main() -> None:
    folder, address = Path(sys.argv[1]), sys.argv[2]
    Handler.cloud = Cloud(folder, address)
    Handler.key = (folder / "key").read_text().strip()
    server = ThreadingHTTPServer((address, 443), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
