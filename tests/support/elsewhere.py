"""Runs `mesozoic` as if the system were not POSIX: modules and names that only POSIX has are hidden from it.

Usage: python elsewhere.py WORDS..., the words of the command. Other packages keep what they have.
"""

from __future__ import annotations

import builtins
import fcntl
import os
import signal
import sys
import types
from typing import Any

MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "readline", "spwd", "crypt")
OS_NAMES = (
    *("sched_getaffinity", "sched_setaffinity", "getuid", "geteuid", "getgid", "getegid", "fork", "forkpty", "killpg"),
    *("setsid", "getpgid", "setpgid", "getsid", "mkfifo", "mknod", "statvfs", "fstatvfs", "chown", "lchown", "nice"),
    *("getloadavg", "sysconf", "wait3", "wait4", "pipe2", "register_at_fork", "uname", "sync", "set_blocking"),
    *("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_CLOEXEC", "O_SYNC", "EX_TEMPFAIL", "EX_USAGE", "WNOHANG"),
)
SIGNALS = ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGCHLD", "SIGQUIT", "SIGTSTP")
THIRD_PARTIES = ("numpy", "jax", "mujoco", "mjbatch", "flax", "optax", "gymnasium", "tensorboardX", "rich.console")


def locking(handle: int, mode: int, count: int) -> None:
    """`msvcrt.locking`, made of what there is here."""
    assert (mode, count) == (2, 1)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hide() -> None:
    """Take away what only POSIX has: names from everybody, modules from this project."""
    for name in THIRD_PARTIES:
        __import__(name)
    real = builtins.__import__

    def pick(name: str, *others: Any, **more: Any) -> Any:
        scope = others[0] if others else more.get("globals")
        asks = (scope or {}).get("__name__", "")
        if name.partition(".")[0] in MODULES and asks.startswith("mesozoic"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *others, **more)

    builtins.__import__ = pick
    for name in OS_NAMES:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=locking)  # type: ignore[assignment]
    import mesozoic.run.lock

    mesozoic.run.lock.os = types.SimpleNamespace(**{**vars(os), "name": "nt"})  # type: ignore[assignment]


if __name__ == "__main__":
    hide()
    from mesozoic.cli.app import main

    main()
