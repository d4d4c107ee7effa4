"""Child processes that never outlive their parent."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send `number` to this process when its parent dies; elsewhere than on Linux do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def code_of(returncode: int) -> int:
    """The exit code of a process as shells count it: 128 + signal if it died of one."""
    return 128 - returncode if returncode < 0 else returncode
