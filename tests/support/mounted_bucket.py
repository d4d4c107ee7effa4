"""A bucket of Google's storage on loopback whose objects are also files of a folder, as where it is mounted.

gcp-storage-emulator serves it; what a job writes into the folder is an object at the next look, and vice versa.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gcp_storage_emulator import server as emulator
from gcp_storage_emulator.handlers.objects import _make_object_resource
from gcp_storage_emulator.storage import Storage


class MountedStorage(Storage):
    """Knows an object by its file, so that none is missing or left over."""

    def get_file_list(self, bucket_name: str, *words: Any, **more: Any) -> Any:
        self.look(bucket_name)
        return super().get_file_list(bucket_name, *words, **more)

    def get_file_obj(self, bucket_name: str, file_name: str) -> Any:
        self.look(bucket_name, file_name)
        return super().get_file_obj(bucket_name, file_name)

    def look(self, bucket: str, name: str = "") -> None:
        """Take in what has changed in the folder; of one file only, if it is named."""
        root = self._store._root / bucket
        known = self.objects.setdefault(bucket, {})
        paths = [root / name] if name else [one for one in root.rglob("*") if not one.name.endswith(".tmp")]
        there = {str(one.relative_to(root)): one.stat().st_size for one in paths if one.is_file()}
        for gone in ({name} if name else set(known)) - set(there):
            known.pop(gone, None)
        for one, size in there.items():
            if one not in known or int(known[one]["size"]) != size:
                known[one] = _make_object_resource("", bucket, one, "application/octet-stream", size)


@contextmanager
def mounted_bucket(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """Serve the bucket `name`, whose files lie in `folder`/name; the environment of its clients."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    running = emulator.create_server("127.0.0.1", port, in_memory=False, data_dir=str(folder.parent))
    storage = MountedStorage(data_dir=str(folder.parent))
    storage._store._root = folder
    running._storage = running._api._storage = storage
    running._api = emulator.APIThread("127.0.0.1", port, storage)
    storage.create_bucket(name, {"kind": "storage#bucket", "id": name, "name": name, "location": "US-CENTRAL1"})
    running.start()
    try:
        yield {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }
    finally:
        running.stop()
