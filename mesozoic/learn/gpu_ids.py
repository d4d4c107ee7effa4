"""What `--gpu-ids` means: `all`, or the numbers of some devices; empty is the first one.

A number counts the devices that JAX sees on this machine; what `CUDA_VISIBLE_DEVICES` hides does not count.
"""

from __future__ import annotations

import re
import sys

from mesozoic.errors import UserError, shown

ALL = "all"
LISTED = re.compile(r"[0-9]{1,4}(,[0-9]{1,4})*")
HOW = "give all, or numbers with commas between them, for example --gpu-ids 0,1"


def numbers_in(gpu_ids: str) -> tuple[int, ...] | None:
    """The numbers in what somebody typed; None for all of them, (0,) for none.

    Raises:
        UserError: it is no list of numbers, or names one twice.
    """
    text = re.sub(r"\s", "", gpu_ids)
    if not text:
        return (0,)
    if text == ALL:
        return None
    if not LISTED.fullmatch(text):
        raise UserError(f"--gpu-ids {shown(gpu_ids)} names no devices; {HOW}")
    numbers = tuple(map(int, text.split(",")))
    for number in numbers:
        if numbers.count(number) > 1:
            raise UserError(f"--gpu-ids {shown(gpu_ids)} names device {number} twice; name each device once")
    return numbers


def chosen(gpu_ids: str) -> tuple[int, ...]:
    """The numbers of the devices on this machine.

    Raises:
        UserError: JAX does not see one of them.
    """
    import jax

    numbers = numbers_in(gpu_ids)
    counts = [len(jax.local_devices(process_index=machine)) for machine in range(machines())]
    if numbers is None:
        if len(set(counts)) > 1:
            listed = ", ".join(map(str, counts))
            raise UserError(f"--gpu-ids all: the machines have {listed} devices; name those that all of them have")
        return tuple(range(counts[0]))
    for number in numbers:
        for machine, count in enumerate(counts):
            if number >= count:
                there = jax.local_devices(process_index=machine)
                seen = ", ".join(f"{i} ({device.device_kind})" for i, device in enumerate(there))
                where = "here" if len(counts) == 1 else f"on machine {machine}"
                raise UserError(
                    f"--gpu-ids {shown(gpu_ids)}: there is no device {number} {where}; JAX sees {seen}; {HOW}"
                )
    return numbers


def machines() -> int:
    """How many machines train together."""
    jax = sys.modules.get("jax")  # who trains on several has loaded it
    return jax.process_count() if jax is not None and jax.distributed.is_initialized() else 1
