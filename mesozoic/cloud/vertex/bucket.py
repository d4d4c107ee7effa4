"""A place in a bucket of Cloud Storage: how people write it, what jobs call it, and reading and writing there.

A job finds every bucket that its account can reach as a folder, `/gcs/BUCKET/...`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mesozoic.cloud.vertex.endpoint import DEADLINE, INSTALL
from mesozoic.errors import UserError, shown
from mesozoic.files.remote import emulated
from mesozoic.redact import redact

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
FOLDER_NAME = re.compile(r"[A-Za-z0-9._=/-]*")


@dataclass(frozen=True)
class BucketFolder:
    """A folder in a bucket; `path` is empty for the bucket itself, and begins and ends without a slash."""

    bucket: str
    path: str = ""

    def __truediv__(self, below: str) -> BucketFolder:
        return BucketFolder(self.bucket, "/".join(part for part in (self.path, below.strip("/")) if part))

    @property
    def key(self) -> str:
        """`BUCKET/path`, as fsspec has it."""
        return "/".join(part for part in (self.bucket, self.path) if part)

    @property
    def url(self) -> str:
        """`gs://BUCKET/path`"""
        return f"gs://{self.key}"

    @property
    def mounted(self) -> str:
        """`/gcs/BUCKET/path`, the folder that a job sees."""
        return f"/gcs/{self.key}"


def read_bucket(text: str | None, option: str = "--bucket") -> BucketFolder:
    """A bucket as a user writes it: `name`, `gs://name`, `gs://name/folder`, `/gcs/name/folder`.

    Raises:
        UserError: it is missing, or cannot be the name of one.
    """
    given = (text or "").strip()
    if not given:
        raise UserError(f"which bucket? give {option} NAME ('gcloud storage buckets list' lists yours)")
    bucket, _, path = given.removeprefix("gs://").removeprefix("/gcs/").rstrip("/").partition("/")
    path = path.strip("/")
    if not BUCKET_NAME.fullmatch(bucket):
        raise UserError(
            f"{option} '{shown(given)}' names no bucket: 3 to 63 of a-z, 0-9, '-', '_' and '.'; give for example"
            f" {option} gs://my-bucket"
        )
    if not FOLDER_NAME.fullmatch(path) or ".." in path.split("/") or "//" in path:
        raise UserError(f"{option} '{shown(given)}' has a folder with other signs than letters, digits, '.', '_', '-'")
    return BucketFolder(bucket, path)


class Storage:
    """Cloud Storage through fsspec. Every method may raise `UserError`.

    Args:
        deadline: about as many seconds after which a request counts as not answered; a file may take longer, as long
            as some of it arrives.

    Raises:
        UserError: gcsfs is not installed.
    """

    def __init__(self, project: str | None = None, deadline: float = DEADLINE) -> None:
        elsewhere = emulated()
        try:
            import aiohttp
            import fsspec
            import gcsfs
        except ImportError:
            raise UserError(INSTALL) from None
        logging.getLogger(gcsfs.__name__).setLevel(logging.CRITICAL)  # it prints tracebacks of what is tried again
        limits = aiohttp.ClientTimeout(sock_connect=deadline / 3, sock_read=deadline / 3)  # of each of six tries
        token = "anon" if elsewhere else "google_default"
        with _plain_errors("reach Cloud Storage"):
            self._files: Any = fsspec.filesystem(
                "gcs",
                project=project,
                token=token,
                requests_timeout=limits,
                use_listings_cache=False,
                skip_instance_cache=True,
            )

    def location(self, bucket: str) -> str | None:
        """The region of a bucket in lower case, `us-central1` or `us`; None where it does not say.

        Raises:
            FileNotFoundError: there is no such bucket.
        """
        with _plain_errors(f"look at bucket {bucket}"):
            found = self._files.call("GET", f"b/{bucket}", json_out=True)
            return str(found.get("location", "")).lower() or None

    def exists(self, place: BucketFolder) -> bool:
        """Whether a file or a folder is there."""
        with _plain_errors(f"look at {place.url}"):
            return bool(self._files.exists(place.key))

    def read(self, place: BucketFolder, most: int) -> bytes:
        """A file, of which no more than `most` bytes are read.

        Raises:
            FileNotFoundError: it is not there.
        """
        with _plain_errors(f"read {place.url}"):
            return bytes(self._files.cat_file(place.key, 0, most))

    def write(self, place: BucketFolder, data: bytes) -> None:
        """Write a file: all of it, or nothing."""
        with _plain_errors(f"write {place.url}"):
            self._files.pipe_file(place.key, data)

    def remove(self, place: BucketFolder) -> None:
        with _plain_errors(f"remove {place.url}"):
            self._files.rm_file(place.key)

    def files(self, folder: BucketFolder) -> dict[str, tuple[int, str]]:
        """Size and checksum of every file below a folder, by its path below it."""
        with _plain_errors(f"list {folder.url}"):
            found = self._files.find(folder.key, detail=True)
        start = len(folder.key) + 1
        return {
            name[start:]: (int(one.get("size") or 0), str(one.get("md5Hash") or one.get("etag") or ""))
            for name, one in found.items()
            if not name.endswith("/")
        }

    def fetch(self, place: BucketFolder, target: str) -> None:
        """Copy a file here."""
        with _plain_errors(f"copy {place.url}"):
            self._files.get_file(place.key, target)


@contextmanager
def _plain_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (UserError, FileNotFoundError):
        raise
    except Exception as error:  # gcsfs, aiohttp and google-auth each have errors of their own
        said = " ".join(redact(str(error) or type(error).__name__).split())
        if isinstance(error, PermissionError) or "403" in said or "forbidden" in said.lower():
            advice = "ask for the role Storage Object Admin (roles/storage.objectAdmin) on the bucket"
        elif "credentials" in said.lower():
            advice = "type: gcloud auth application-default login"
        else:
            advice = "look at the network, and try again"
        raise UserError(f"could not {what} ({shown(said, 160)}); {advice}") from None
