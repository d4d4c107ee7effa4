"""The machines of a training, and how they find each other."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from mesozoic.run.machines.line import Line, MachineLost, Patience, leave_soon
from mesozoic.run.versions import versions

PORTS = range(20000, 32000)
"""The first machine listens on one of these; below those that systems hand out."""
Say = Callable[[str], object]


@dataclass(frozen=True)
class Hosts:
    """This machine among those of a training.

    Attributes:
        rank: its number; 0 leads. count: how many there are.
        leader: address of the first.
        job: a name that all of them know, and no other job has.
    """

    rank: int
    count: int
    leader: str
    job: str

    @property
    def port(self) -> int:
        """Where the first machine listens: jobs that share machines have different ones."""
        return PORTS[int.from_bytes(hashlib.sha256(self.job.encode()).digest()[:4], "big") % len(PORTS)]


def meet_followers(hosts: Hosts, patience: Patience, say: Say) -> list[Line]:
    """The lines to all other machines, by rank; for the first one.

    Raises:
        MachineLost: they were not all there in time.
    """
    end = time.monotonic() + patience.meeting
    found: dict[int, Line] = {}
    say(f"waiting for {hosts.count - 1} other machines at {hosts.leader}:{hosts.port}")
    try:
        server = socket.create_server((hosts.leader, hosts.port))
    except OSError as error:
        raise MachineLost(f"cannot listen at {hosts.leader}:{hosts.port} ({error.strerror}); is it in use?") from None
    with server:
        while len(found) < hosts.count - 1:
            server.settimeout(max(end - time.monotonic(), 0.01))
            try:
                connection, address = server.accept()
            except TimeoutError:
                missing = sorted(set(range(1, hosts.count)) - set(found))
                listed = ", ".join(map(str, missing))
                raise MachineLost(f"machine {listed} did not come in {patience.meeting:g} s; see its log") from None
            line = _greet(hosts, connection, found, patience)
            if line is None:
                say(f"turned away {address[0]}, which is no machine of this job or has other versions")
    lines = [found[rank] for rank in sorted(found)]
    for line in lines:
        line.watch()
    return lines


def meet_leader(hosts: Hosts, patience: Patience) -> Line:
    """The line to the first machine.

    Raises:
        MachineLost: it is not there, or turned this one away.
    """
    end = time.monotonic() + patience.meeting
    where = f"{hosts.leader}:{hosts.port}"
    while True:
        try:
            connection = socket.create_connection((hosts.leader, hosts.port), timeout=10.0)
            line = Line(connection, "the first machine", patience, leave_soon(patience))
            line.send({"job": hosts.job, "rank": hosts.rank, "versions": versions()})
            order, _ = line.receive()
            break
        except (OSError, ValueError, MachineLost) as error:
            if time.monotonic() > end:
                raise MachineLost(f"the first machine cannot be reached at {where} ({error}); see its log") from None
            time.sleep(0.5)
    if order.get("do") != "welcome":
        raise MachineLost(f"the first machine turned this one away: {order.get('why', 'it did not say why')}")
    line.watch()
    return line


def _greet(hosts: Hosts, connection: socket.socket, found: dict[int, Line], patience: Patience) -> Line | None:
    """The line to who has just called, if it is a machine of this job that is still missing."""
    line = Line(connection, "a machine", patience, leave_soon(patience))
    connection.settimeout(10.0)
    try:
        hello, _ = line.receive()
        rank = hello.get("rank")
        if hello.get("job") == hosts.job and type(rank) is int and 0 < rank < hosts.count and rank not in found:
            mine, other = versions(), hello.get("versions")
            if other == mine:
                connection.settimeout(patience.silence)
                line.name = f"machine {rank}"
                line.send({"do": "welcome"})
                found[rank] = line
                return line
            line.send({"do": "go", "why": f"it has {other}, the first machine has {mine}"})
    except (OSError, ValueError, MachineLost):  # it may call again
        pass
    connection.close()
    return None


def join_jax(hosts: Hosts, port: int) -> None:
    """Make the devices of all machines one; all have to call it, before anything else asks JAX.

    `port` of the first machine is for JAX's own service, which ends this process if another machine is gone.
    """
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it takes SIGTERM away from who stops the training
    jax.distributed.initialize(
        f"{hosts.leader}:{port}",
        hosts.count,
        hosts.rank,
        cluster_detection_method="deactivate",
        initialization_timeout=300,
        heartbeat_timeout_seconds=100,
    )
    jax.devices()  # waits until all machines have said which devices they have


def free_port(address: str) -> int:
    """A port that nothing listens on."""
    with socket.create_server((address, 0)) as server:
        port: int = server.getsockname()[1]
        return port
