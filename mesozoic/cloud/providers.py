"""Whoever rents something out: what `mesozoic cloud status` lists and `mesozoic cloud down` ends, for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Section = str
"""Where something is listed in JSON."""
SECTIONS: tuple[Section, ...] = ("clusters", "managed_jobs", "pools", "vertex_jobs", "unseen")


@dataclass(frozen=True)
class Rented:
    """One thing of this project that costs money, or may do so.

    Attributes:
        section: heading in JSON, one of `SECTIONS`.
        what: for a person, such as `managed job 7`; empty for a machine.
        text: what is known of it: machine, age, price.
        details: the same for programs; always with `name` and `state`.
        warning: what is wrong with it and what to type; empty when all is well.
    """

    name: str
    section: Section
    state: str
    text: str
    what: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    warning: str = ""

    def lines(self) -> list[str]:
        """For a person."""
        head = "  ".join(part for part in (self.what, self.name, self.state) if part)
        return [head, f"    {self.text}"] + ([f"    warning: {self.warning}"] if self.warning else [])


@dataclass(frozen=True)
class Bill:
    """What one thing of this project has cost, also one that is gone.

    Attributes:
        began: seconds since 1970.
        seconds: that are paid for.
        dollars: None where there is no price.
        machine: what it ran on.
        alive: whether it goes on.
    """

    name: str
    began: float
    seconds: float
    dollars: float | None
    machine: str
    alive: bool


class Provider(Protocol):
    """A service that rents out. Its methods may raise `UserError`; `Unreachable` when nothing answers.

    Attributes:
        called: who is asked, for a person.
        rents: what it rents out, in the singular.
    """

    called: str
    rents: str

    def ours(self, refresh: bool = False) -> list[Rented]:
        """Everything of this project, half-made things too; `refresh` asks the clouds themselves."""

    def beside(self) -> list[str]:
        """What the last look found that is not this project's, or no longer, and that the user should know of."""

    def bills(self, days: int) -> list[Bill]:
        """What was rented for this project in the last days, oldest first."""

    def end(self, name: str) -> None:
        """End whatever of this project has that name and wait until it is gone, which is noted in the ledger.

        Raises:
            UserError: it could not be confirmed to be gone.
        """
