"""Makes the command of a W&B sweep one that every engine runs: `mesozoic train` becomes `mesozoic sweep trial`.

A trial has a folder of its own, which it goes on in after it was pre-empted, and a record of how it ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from mesozoic.config.override import flag_text
from mesozoic.errors import UserError
from mesozoic.run.words import NUMBERS, SWITCHES, TEXTS
from mesozoic.sweep.wandb_format import FRONT, TRAIN, TRIAL

PLACES = ("output-dir", "log-dir")
"""Options that name one folder; of a sweep, agents say where run folders go."""
TRIAL_TEXTS = ("species", "objective", "seeds-per-trial")


def as_trial(command: Sequence[object], where: str) -> list[str]:
    """The command with `mesozoic sweep trial`; what does not vary becomes `--override`.

    Args:
        command: of a sweep file that was checked, `mesozoic train` or `mesozoic sweep trial`.

    Raises:
        UserError: all its runs would have one folder.
    """
    words = [str(word) for word in command]
    start = 1 if words[0] in FRONT else 0
    trains = words[start : start + len(TRAIN)] == TRAIN
    left = words[start + len(TRAIN if trains else TRIAL) :]
    found: list[str] = []
    while left:
        word = left.pop(0)
        name, equals, value = word[2:].partition("=")
        known = word.startswith("--") and name in (*NUMBERS, *TEXTS, *SWITCHES, *TRIAL_TEXTS)
        if known and name in PLACES:
            raise UserError(
                f"{where}: command has --{name}, one folder for all runs; leave it out: each run has its own in what"
                " 'mesozoic sweep agent --output-dir' says, on a rented machine RESULTS"
            )
        if known and name in SWITCHES:
            continue  # how a training is watched; a trial reports to its sweep, and goes on where it stopped
        if known:
            found += [word] if equals or not left else [word, left.pop(0)]
        elif word.startswith("--"):
            text = flag_text(name, value if equals or not left else left.pop(0))
            found += [] if text is None else [f"--override={text}"]
        else:
            varies = word.startswith("${") or "=" not in word
            found.append(word if varies else f"--override={word}")
    return [*words[:start], *TRIAL, *found]
