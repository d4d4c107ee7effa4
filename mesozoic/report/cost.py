"""What a run cost that was trained on a rented machine, as far as it is known here."""

from __future__ import annotations

from pathlib import Path

from mesozoic.cloud.ledger import read_ledger
from mesozoic.cloud.pulled import source_of
from mesozoic.files import read_json
from mesozoic.job.record import FILE, LARGEST


def cost_lines(run: Path) -> list[str]:
    """Sentences about time and money of a run folder that came from a rented machine; none of one made here."""
    seconds = _seconds(run)
    lines = [] if seconds is None else [f"The job used {seconds / 3600:.2f} hours of a machine."]
    source = source_of(run)  # of a job of Vertex AI, the folder of its bucket
    if not source:
        return lines
    ledger = read_ledger()
    names = [one["cluster"] for one in ledger if source in (one["cluster"], one.get("folder"))]
    if names or "://" not in source:
        lines.append(f"It was trained on '{names[-1] if names else source}'.")
    prices = [one["price"] for one in ledger if one["cluster"] in names and isinstance(one.get("price"), int | float)]
    if not prices:
        return [*lines, "Its price is not in the ledger of this machine."]
    price = prices[-1]
    lines.append(f"Its price was ${price:.2f} an hour.")
    if seconds is not None:
        lines.append(f"That makes ${price * seconds / 3600:.2f} of training; set-up and idling are not in it.")
    return lines


def _seconds(run: Path) -> float | None:
    """What the job on the rented machine used; None where no job says it."""
    try:
        seconds = read_json(run / FILE, LARGEST)["seconds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None
