"""Giving back: end things, trying again until none is left, and say what is known for sure either way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mesozoic.cloud.patience import Patience
from mesozoic.cloud.providers import Provider, Rented
from mesozoic.cloud.signals import end_by_interrupt, ended_by
from mesozoic.errors import UserError
from mesozoic.run.unheard import quietly

Say = Callable[[str], None]
PATIENCE = 600.0
"""Seconds for which giving back is tried again while the network or the cloud does not answer."""


def give_back(provider: Provider, names: Sequence[str], say: Say, patience: float = PATIENCE) -> list[str]:
    """End things, trying again until none is left or the patience ends.

    Returns:
        The names of those that could not be confirmed to be gone; empty is good.
    """
    say = quietly(say)
    left = list(dict.fromkeys(names))
    again = Patience(patience)
    while left:
        for name in list(left):
            try:
                provider.end(name)
                left.remove(name)
            except UserError as error:
                say(f"{name} is not down yet: {error}")
        if not left or not again.wait():
            break
    return left


def hand_back(provider: Provider, name: str, say: Say) -> None:
    """End one thing, see that it is gone, and say what else of this project is left.

    Raises:
        UserError: it could not be confirmed to be gone.
    """
    if give_back(provider, [name], say):
        raise UserError(f"{name} could NOT be confirmed to be down; type 'mesozoic cloud down {name}' again")
    say(f"{name} is down")
    report_left(provider, say)


def report_left(provider: Provider, say: Say) -> list[Rented]:
    """Ask for what is left of this project, and say it."""
    left = provider.ours(refresh=True)
    if left:
        listing = ", ".join(f"{one.name} ({one.state})" for one in left)
        say(f"still there: {listing}; 'mesozoic cloud down --all' ends them")
    else:
        say(f"checked with {provider.called}: no {provider.rents} of this project is left")
    return left


def undo(provider: Provider, name: str, reason: str, say: Say, patience: float = PATIENCE) -> UserError:
    """Leave nothing of a launch that failed or was interrupted; the error to end with says what is known for sure."""
    say = quietly(say)
    say(f"the launch of {name} ended early ({reason}); making sure that nothing of it is left running")
    try:
        left = give_back(provider, [name], say, patience)
    except KeyboardInterrupt:  # a second one: the user will not wait
        left = [name]
    if left:
        return UserError(
            f"the launch of {name} failed ({reason}) and it could NOT be confirmed that nothing runs; type"
            f" 'mesozoic cloud down {name}' as soon as the network is back, and look at the cloud's own console"
        )
    return UserError(f"the launch of {name} failed ({reason}); checked: nothing of it is left running")


@contextmanager
def undone_on_failure(
    provider: Provider,
    name: str,
    say: Say,
    patience: float = PATIENCE,
    explain: Callable[[BaseException], str] = str,
    also: Callable[[], str] = str,
) -> Iterator[None]:
    """Inside, something that the ledger knows is launched; whatever goes wrong there, it is ended again.

    Args:
        explain: why it failed, in words.
        also: undoes what belongs to it, and says so.

    Raises:
        UserError: it failed; the sentence says whether anything may be left. It exits with 128 + signal if a signal
            ended it. An error that is none of ours is raised as it is, after the same sentence.
    """
    with end_by_interrupt():
        try:
            yield
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            reason = "interrupted" if interrupted else explain(error) or type(error).__name__
            problem = str(undo(provider, name, reason.rstrip("."), say, patience))
            problem = "; ".join(part for part in (problem, also()) if part)
            if not (interrupted or isinstance(error, UserError)):
                quietly(say)(problem)
                raise
            raise ended_by(error, UserError(problem)) from None
