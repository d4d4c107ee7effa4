"""Files: reading what somebody else wrote within bounds, writing whole or not at all, and where things lie."""

from mesozoic.files.archive import read_members
from mesozoic.files.formats import parse_json, parse_toml, parse_yaml
from mesozoic.files.places import cache_folder, uploads_late
from mesozoic.files.reading import (
    NotPlain,
    cause,
    open_plain,
    read_bytes,
    read_json,
    read_text,
    sha256_of,
)
from mesozoic.files.writing import aside_of, clear_asides, replacing, sync_folder, write_bytes, write_json

__all__ = [
    "NotPlain",
    "aside_of",
    "cache_folder",
    "cause",
    "clear_asides",
    "open_plain",
    "parse_json",
    "parse_toml",
    "parse_yaml",
    "read_bytes",
    "read_json",
    "read_members",
    "read_text",
    "replacing",
    "sha256_of",
    "sync_folder",
    "uploads_late",
    "write_bytes",
    "write_json",
]
