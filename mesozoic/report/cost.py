"""What a run cost that was trained on a rented machine, as far as it is known here."""

from __future__ import annotations

from pathlib import Path

from mesozoic.cloud.ledger import read_ledger
from mesozoic.cloud.pulled import source_of
from mesozoic.files import read_json
from mesozoic.job.record import FILE


def cost_lines(run: Path) -> list[str]:
    """Sentences about time and money of a run folder that came from a rented machine; none of one made here."""
    job, lines = _job(run), []
    seconds = job.get("seconds")
    if isinstance(seconds, int | float) and seconds > 0:
        lines.append(f"The job used {seconds / 3600:.2f} hours of a machine.")
    source = source_of(run)
    if not source:
        return lines
    events = [one for one in read_ledger() if source in (one["cluster"], one.get("folder"))]
    lines.append(f"It was trained on '{events[-1]['cluster'] if events else source}'.")
    prices = [one["price"] for one in events if isinstance(one.get("price"), int | float)]
    if not prices:
        return [*lines, "Its price is not in the ledger of this machine."]
    price = prices[-1]
    lines.append(f"Its price was ${price:.2f} an hour.")
    if isinstance(seconds, int | float):
        lines.append(f"That makes ${price * seconds / 3600:.2f} of training; set-up and idling are not in it.")
    return lines


def _job(run: Path) -> dict[str, object]:
    try:
        found = read_json(run / FILE, 1 << 20)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
