"""Buckets of a storage emulator beside the folder that the loopback Vertex server's jobs see as `/gcs/BUCKET`.

What a job writes there follows into the bucket, and what is put into the bucket appears there, as with gcsfuse.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests


class Buckets:
    """An emulator on a free port, and the mount. In a test: `with Buckets(server.gcs, "bones") as buckets`."""

    def __init__(self, folder: Path, *names: str, location: str = "US-CENTRAL1") -> None:
        from gcp_storage_emulator.server import create_server

        self._folder, self._names, self._location = folder, names, location
        self._server: Any = create_server("127.0.0.1", 0, in_memory=True)
        self._local: dict[Path, tuple[int, int]] = {}
        self._remote: dict[tuple[str, str], str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        host, port = self._server._api._httpd.server_address[:2]
        return f"http://{host}:{port}"

    def environment(self) -> dict[str, str]:
        """What sends storage clients here."""
        return {"STORAGE_EMULATOR_HOST": self.url, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}

    def __enter__(self) -> Buckets:
        self._server.start()
        for name in self._names:
            requests.post(f"{self.url}/storage/v1/b", json={"name": name}, timeout=10).raise_for_status()
            place = {"location": self._location}
            requests.patch(f"{self.url}/storage/v1/b/{name}", json=place, timeout=10).raise_for_status()
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._server.stop()

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Write an object."""
        place = f"{self.url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}"
        requests.post(place, data=data, timeout=30).raise_for_status()

    def listing(self, bucket: str) -> dict[str, str]:
        """Checksum of every object by its name."""
        found = requests.get(f"{self.url}/storage/v1/b/{bucket}/o", timeout=30).json()
        return {one["name"]: str(one.get("md5Hash") or one.get("etag")) for one in found.get("items", [])}

    def sync(self) -> None:
        """Carry changes over, both ways; a file that is written just now waits for the next time."""
        with self._lock:
            for bucket in self._names:
                self._up(bucket)
                self._down(bucket)

    def _keep(self) -> None:
        while not self._over.wait(0.3):
            with suppress(requests.RequestException):  # the emulator drops connections now and then; again, then
                self.sync()

    def _up(self, bucket: str) -> None:
        root = self._folder / bucket
        there = set()
        for folder, _, names in os.walk(root):
            for name in names:
                file = Path(folder, name)
                try:
                    status = file.stat()
                    state = (status.st_mtime_ns, status.st_size)
                    there.add(file)
                    if self._local.get(file) != state and status.st_size:  # the emulator takes no empty ones
                        data = file.read_bytes()
                        self.put(bucket, file.relative_to(root).as_posix(), data)
                        self._local[file] = state
                        self._remote[bucket, file.relative_to(root).as_posix()] = hashlib.md5(data).hexdigest()
                except FileNotFoundError:
                    continue
        for file in [one for one in self._local if one.is_relative_to(root) and one not in there]:
            name = file.relative_to(root).as_posix()
            requests.delete(f"{self.url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}", timeout=30)
            del self._local[file]
            self._remote.pop((bucket, name), None)

    def _down(self, bucket: str) -> None:
        for name in self.listing(bucket):
            file = self._folder / bucket / name
            if (bucket, name) in self._remote or name.endswith("/"):
                continue
            place = f"{self.url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
            answer = requests.get(place, timeout=30)
            if answer.status_code == 200:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(answer.content)
                status = file.stat()
                self._local[file] = (status.st_mtime_ns, status.st_size)
                self._remote[bucket, name] = hashlib.md5(answer.content).hexdigest()
