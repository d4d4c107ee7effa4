"""Names of what is rented, which clouds and folders accept."""

from __future__ import annotations

import re
import uuid

from mesozoic.errors import UserError

PREFIX = "mesozoic-"
NAME = re.compile(r"[A-Za-z](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?")
LONGEST_NAME = 60


def unique_name(stem: str) -> str:
    """A cluster name that is not in use: `mesozoic-<stem>-<4 hexadecimal digits>`."""
    return f"{PREFIX}{stem}-{uuid.uuid4().hex[:4]}"


def check_name(name: str, what: str) -> str:
    """`name`, if clouds and folders accept it.

    Raises:
        UserError: they do not.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UserError(
            f"{what} '{name}' is not usable; begin with a letter, then letters, digits, '-', '_' or '.',"
            f" at most {LONGEST_NAME} in all"
        )
    return name


def plain_name(name: str) -> str:
    """`name`, if it names one thing. SkyPilot takes `*`, `?` and `[` for patterns that match several.

    Raises:
        UserError: it is no name.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"'{name}' is not a name, and patterns are not taken; 'mesozoic cloud status' lists the names")
    return name
