"""Stand-ins for Vertex AI and for a bucket of Cloud Storage, in one process, for scripts/e2e_vertex.sh.

Jobs really run here, as processes, and find the bucket as a folder. Prints the environment of a client, then serves
until SIGTERM. State for the script, written again and again: `FOLDER/jobs.json`. Orders from the script, a line each in
the file `FOLDER/orders`: `preempt NAME [TRIAL]` takes the machine of a job or a trial away.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT)]

from support.mounted_bucket import mounted_bucket  # noqa: E402
from support.vertex_server import VertexServer  # noqa: E402


def told(server: VertexServer) -> list[dict[str, Any]]:
    """What the script wants to know of every job, oldest first."""
    with server.lock:
        return [
            {
                "name": job.proto.display_name,
                "resource": job.proto.name,
                "state": job.state,
                "trials": [
                    {"id": one.id, "state": one.state.name, "reported": bool(one.final_measurement.metrics)}
                    for one in getattr(job.proto, "trials", [])
                ],
            }
            for job in server.jobs
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bucket", required=True)
    folder, bucket = (options := parser.parse_args()).folder, options.bucket
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    orders = folder / "orders"
    orders.touch()
    (folder / "gcs" / bucket).mkdir(parents=True)
    done = 0
    with (
        mounted_bucket(folder / "gcs", bucket) as storage,
        VertexServer(folder / "machines", folder / "gcs") as server,
    ):
        for name, value in {**server.environment(), **storage}.items():
            print(f"export {name}={value}", flush=True)
        while not over.wait(0.3):
            temporary = folder / "jobs.json.new"
            temporary.write_text(json.dumps(told(server)))
            temporary.replace(folder / "jobs.json")
            lines = orders.read_text().splitlines()
            for line in lines[done:]:
                _, name, *trial = line.split()
                server.preempt(name, *trial)
            done = len(lines)


if __name__ == "__main__":
    main()
