"""Whoever rents something out: what `mesozoic cloud status` lists and `mesozoic cloud down` ends, for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Section = str
"""Where something is listed in JSON: `clusters`, `managed_jobs`, `pools`, or `unseen`."""


@dataclass(frozen=True)
class Rented:
    """One thing of this project that costs money, or may do so.

    Attributes:
        section: heading in JSON.
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


class Provider(Protocol):
    """A service that rents out. Its methods may raise `UserError`; `Unreachable` when nothing answers."""

    def ours(self, refresh: bool = False) -> list[Rented]:
        """Everything of this project, half-made things too; `refresh` asks the clouds themselves."""

    def beside(self) -> list[str]:
        """What the last look found that is not this project's, or no longer, and that the user should know of."""

    def end(self, name: str) -> None:
        """End whatever of this project has that name and wait until it is gone, which is noted in the ledger.

        Raises:
            UserError: it could not be confirmed to be gone.
        """
