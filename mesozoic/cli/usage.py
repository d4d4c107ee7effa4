"""Says in one sentence what Typer found wrong with a command line, instead of its three or more lines."""

from __future__ import annotations

from typing import cast

import typer

from mesozoic.errors import UserError, shown

UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
"""What Typer raises for every mistake of a command line; it exports only this kind of it."""


def usage_mistake(error: Exception) -> UserError | None:
    """The mistake as a `UserError`; None if only the help was asked for, which is printed.

    Args:
        error: a `UsageError`.
    """
    if type(error).__name__ == "NoArgsIsHelpError":  # 'mesozoic' and 'mesozoic cloud' alone
        error.show()  # type: ignore[attr-defined]
        return None
    context = getattr(error, "ctx", None)
    command = "mesozoic" if context is None else context.command_path
    said = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    return UserError(f"{said[:1].lower()}{shown(said[1:], 200)}; see '{command} --help'")
