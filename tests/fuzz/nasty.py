"""Values, texts and files that programs stumble over, and changes of whole ones."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from random import Random
from typing import Any

PRECIOUS = "precious"
"""A file beside the folder of a case, which no case may change without being told its name."""
TEXTS = (
    "", " ", "-", "--", "=", ".", "..", "/", "~", "~nobody/x", "*", "%s", "${args}", "$(true)", "'", '"', "[", "{",
    "[64,64]",
    "[1]" * 9, "[" * 3000, "{a=1}", "\x1b[2J", "a\nerror: forged", "\u202eabc", "é", "²", "\uff11", "\udcff",
    "x" * 5000,
    "a/" * 600, "y" * 256, "-1", "0", "1", "3", "7", "1e6", "1e400", "-1e309", "nan", "inf", "1_000", "0x10",
    "9" * 400, "1" * 5000,
    "0.5", "1.5", "true", "None", "small", "2", "trex", "velociraptor", "velocirapter", "auto", "jax", "sb3",
    "sac", "native",
    "mjx-warp", "/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "../precious", "pipe", "loop", "folder",
    "empty", "file.txt",
    "missing", "a" + ".a" * 5000 + "=1", "2.ppo.gamma=0.9", "ppo.gamma", "ppo.gamma=", "ppo.=1", "=1",
    "².ppo.gamma=1",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**70, 10**400, 0.5, 1e-300, 1e300, float("nan"), float("inf"), "",
    "x", "\x1b[2J",
    "a\nerror: forged", "é", "\ud800", "x" * 100_000, [], {}, [[]], [None], {"": None}, {"a": {"a": {"a": 1}}},
    [1] * 1000,
    "0" * 64, "velociraptor", "../precious", "../../x",
)  # fmt: skip


def deep(rng: Random) -> Any:
    """A value of some levels."""
    value: Any = 1
    for _ in range(rng.choice((5, 50, 500))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def changed_tree(tree: Any, rng: Random) -> Any:
    """JSON of which a few parts are removed, doubled, renamed or replaced."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = rng.choice(places)
        how = rng.random()
        if how < 0.2:
            del holder[key]
        elif how < 0.3 and isinstance(holder, dict):
            holder[rng.choice(TEXTS)] = holder.pop(key)
        elif how < 0.4 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = holder[key] * rng.choice((-1, 0, 1e30, 10)) + rng.choice((0, 0.5, 1))
        else:
            holder[key] = deep(rng) if rng.random() < 0.05 else copy.deepcopy(rng.choice(VALUES))
    return tree


def _places(tree: Any) -> Any:
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


PIECE = re.compile(r'[A-Za-z_][A-Za-z0-9_.]*|-?[0-9.]+|[<>="/\[\]{}:,&*-]|\s+')


def changed_text(text: str, rng: Random) -> str:
    """A text of which a few pieces are removed, doubled, replaced or cut."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        pieces = list(PIECE.finditer(text))
        if not pieces:
            return rng.choice(TEXTS)
        piece = rng.choice(pieces)
        begin, end = piece.span()
        other = rng.choice(pieces)[0] if rng.random() < 0.5 else rng.choice(TEXTS)
        how = rng.random()
        if how < 0.2:
            text = text[:begin] + text[end:]
        elif how < 0.3:
            text = text[:end] + text[begin:]
        elif how < 0.35:
            text = text[:begin]
        elif how < 0.38:
            text = text[:begin] + rng.choice(("[", "{", "(", "- ", "a: ", "<a>", "&a ")) * 5000 + text[end:]
        else:
            text = text[:begin] + other + text[end:]
    return text


def changed_bytes(data: bytes, rng: Random) -> bytes:
    """Bytes of which a few are overwritten, a part is cut or filled with zeros."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 10))):
        if not changed:
            return b"\0" * 100
        at = rng.randrange(len(changed))
        how = rng.random()
        if how < 0.6:
            changed[at] = rng.randrange(256)
        elif how < 0.75:
            del changed[at:]
        elif how < 0.85:
            del changed[at : at + rng.randrange(1, 100)]
        else:
            changed[at : at + 8] = b"\0" * 8 if rng.random() < 0.5 else b"\xff" * 8
    return bytes(changed)


def replace_file(path: Path, rng: Random) -> str:
    """Put something into the place of a file that is no such file; returns what."""
    what = rng.choice(
        ("missing", "empty", "folder", "pipe", "link to zeros", "link to itself", "text", "zeros", "link out")
    )
    path.unlink(missing_ok=True)
    if what == "empty":
        path.touch()
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "link to zeros":
        path.symlink_to("/dev/zero")
    elif what == "link to itself":
        path.symlink_to(path)
    elif what == "link out":
        path.symlink_to(Path.cwd().parent / PRECIOUS)
    elif what == "text":
        path.write_text(rng.choice(TEXTS[:20]), encoding="utf-8", errors="surrogateescape")
    elif what == "zeros":
        path.write_bytes(bytes(1 << 20))
    return what
