"""Money, after: what everything of this project has cost, by the books of each provider."""

from __future__ import annotations

from collections.abc import Sequence

from mesozoic.cloud.providers import Bill, Provider


def spent_table(providers: Sequence[Provider], days: int) -> list[str]:
    """Lines of a table: what each thing of this project has cost in the last days."""
    books = [(provider, bill) for provider in providers for bill in provider.bills(days)]
    if not books:
        return [f"nothing was rented for this project in the last {days} days"]
    bills = [bill for _, bill in books]
    widest = max(36, *(len(one.name) for one in bills))
    lines = [f"{'cluster or job':<{widest}} {'hours':>7} {'$':>8}  machine", *(_line(one, widest) for one in bills)]
    hours, dollars = sum(one.seconds for one in bills) / 3600, sum(one.dollars or 0.0 for one in bills)
    lines.append(f"{'sum':<{widest}} {hours:>7.2f} {dollars:>8.2f}")
    if any(one.dollars is None for one in bills):
        lines.append("? has no price here, and is not in the sum")
    asked = " and ".join(dict.fromkeys(provider.called for provider, _ in books))
    return [*lines, f"by the books of {asked}: list price times time up; the cloud's own bill decides"]


def _line(bill: Bill, widest: int) -> str:
    note = " (still there)" if bill.alive else ""
    dollars = "?" if bill.dollars is None else f"{bill.dollars:.2f}"
    return f"{bill.name:<{widest}} {bill.seconds / 3600:>7.2f} {dollars:>8}  {bill.machine}{note}"
