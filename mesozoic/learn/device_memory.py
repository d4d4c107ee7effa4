"""Sees that a compiled program fits into a device's memory, before its first call."""

from __future__ import annotations

from typing import Any

from mesozoic.errors import UserError


def check_memory(compiled: Any, device: Any, what: str, lower: str) -> None:
    """Refuse a program whose part on each device does not fit into the memory of `device`, where both are told.

    What the device holds already counts: the program's arguments, and what else of the training lies there meanwhile.

    Args:
        what: the program computes, for the sentence; lower: what can be made smaller.

    Raises:
        UserError: it needs more than there is.
    """
    told = device.memory_stats() or {}
    limit, use = told.get("bytes_limit"), compiled.memory_analysis()
    if limit is None or use is None:
        return
    held = max(told.get("bytes_in_use", 0), use.argument_size_in_bytes)
    needed = held + use.output_size_in_bytes + use.temp_size_in_bytes - use.alias_size_in_bytes
    if needed > limit:
        raise UserError(
            f"{what} needs {needed / 2**30:.1f} GiB on each device, which has {limit / 2**30:.1f} GiB for it; lower"
            f" {lower}"
        )
