"""Reads a Dockerfile and a .dockerignore: which stages there are, what each step does, which files the builder is sent.

Only what this project's Dockerfile uses is understood; anything else is refused by name rather than guessed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = ("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "LABEL", "RUN", "USER", "WORKDIR")
COPY_FLAGS = ("from", "chown")
VARIABLE = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")


class DockerfileError(ValueError):
    """The Dockerfile has something that this reader does not understand."""


@dataclass(frozen=True)
class Step:
    """One instruction: `COPY --from=code a b` has name COPY, flags {from: code} and value `a b`."""

    line: int
    name: str
    value: str
    flags: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """The value as a list: a JSON array, or words quoted as in a shell."""
        if self.value.startswith("["):
            return [str(word) for word in json.loads(self.value)]
        return shlex.split(self.value)

    def pairs(self) -> dict[str, str]:
        """`K=V` words of ENV, LABEL or ARG; an ARG without a value is left out."""
        return dict(word.split("=", 1) for word in self.words() if "=" in word)

    def __str__(self) -> str:
        return f"line {self.line}: {self.name} {' '.join(self.value.split())}"


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next: its name, what it starts from (a stage or an image) and its steps."""

    name: str
    base: str
    steps: tuple[Step, ...]


def parse(text: str) -> dict[str, Stage]:
    """The stages of a Dockerfile by name, in order.

    Raises:
        DockerfileError: an instruction, flag or syntax outside what the module understands.
    """
    stages: dict[str, Stage] = {}
    name, base, steps = "", "", []
    for step in [*_steps(text), None]:
        if step is not None and step.name != "FROM":
            if not name:
                raise DockerfileError(f"{step} stands before the first FROM")
            steps.append(step)
            continue
        if name:
            stages[name] = Stage(name, base, tuple(steps))
        if step is not None:
            words = step.words()
            if len(words) != 3 or words[1].upper() != "AS" or words[2] in stages:
                raise DockerfileError(f"{step} is not 'FROM image AS a-new-name'")
            base, name, steps = words[0], words[2], []
    return stages


def lineage(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """`target` and the stages it starts from, the outermost first; the first one's base is an image."""
    chain = [stages[target]]
    while chain[0].base in stages:
        chain.insert(0, stages[chain[0].base])
    return chain


def needed(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """The stages that building `target` takes, in the order of the file."""
    names, open_names = set(), [target]
    while open_names:
        name = open_names.pop()
        if name in stages and name not in names:
            names.add(name)
            copies = [step.flags["from"] for step in stages[name].steps if "from" in step.flags]
            open_names += [stages[name].base, *copies]
    return [stage for stage in stages.values() if stage.name in names]


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced; unknown names become empty, as Docker does it."""
    return VARIABLE.sub(lambda match: variables.get(match["plain"] or match["braced"], ""), text)


def sent_files(root: Path, ignore: str) -> list[Path]:
    """The files under `root` that a .dockerignore with the text `ignore` lets through, relative to `root`.

    The last pattern that matches a path or a folder above it decides; `!` lets it through again.
    """
    rules = [line.strip() for line in ignore.splitlines()]
    patterns = [
        (_pattern(rule.lstrip("!").strip("/")), not rule.startswith("!")) for rule in rules if rule and rule[0] != "#"
    ]
    sent = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        above = [relative, *relative.parents][:-1]
        ignored = False
        for pattern, hides in patterns:
            if any(pattern.fullmatch(str(part)) for part in above):
                ignored = hides
        if not ignored and (path.is_file() or path.is_symlink()):
            sent.append(relative)
    return sent


def _steps(text: str) -> list[Step]:
    steps, pending, began = [], "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#") or (not line.strip() and not pending):
            continue
        if not pending:
            began = number
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + "\n"
            continue
        steps.append(_step(began, (pending + line).strip()))
        pending = ""
    if pending:
        raise DockerfileError(f"line {began}: the last instruction ends with a backslash")
    return steps


def _step(line: int, text: str) -> Step:
    name, _, rest = text.partition(" ")
    name, rest = name.upper(), rest.strip()
    if name not in (*KNOWN, "FROM"):
        raise DockerfileError(f"line {line}: {name} is not understood; teach scripts/image/dockerfile.py about it")
    flags = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        key, _, value = flag[2:].partition("=")
        if name != "COPY" or key not in COPY_FLAGS:
            raise DockerfileError(f"line {line}: {name} {flag} is not understood")
        flags[key] = value
        rest = rest.lstrip()
    if "<<" in rest and name in ("RUN", "COPY"):
        raise DockerfileError(f"line {line}: {name} with a here-document is not understood")
    # A continued line is one line to the shell, too.
    return Step(line, name, rest.replace("\n", " "), flags)


def _pattern(glob: str) -> re.Pattern[str]:
    """Go's filepath.Match with `**`, as a regular expression."""
    out, rest = "", glob
    while rest:
        if rest.startswith("**/"):
            out, rest = out + "(?:.*/)?", rest[3:]
        elif rest.startswith("**"):
            out, rest = out + ".*", rest[2:]
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0]))
            rest = rest[1:]
    return re.compile(out)
