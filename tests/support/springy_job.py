"""A job whose device engine compiles in a second; it reads the environment as `python -m mesozoic.job` does.

Its training process is this file again. Everything but the engine is the real thing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from mesozoic.job import training
from mesozoic.job.__main__ import say
from mesozoic.job.environment import read_job
from mesozoic.job.supervisor import Limits, Supervisor

SHORT = Limits(grace=120.0, silence=600.0, heartbeat=600.0, linger=3.0)


def springy(species: Any, n: int, impl: str, device: Any = None) -> Any:
    from support.springy_engine import SpringyEngine

    from mesozoic.species.anatomy import anatomy_of

    return SpringyEngine(anatomy_of(species, species.load_physics_model()))


def main() -> int:
    if "--events" in sys.argv:
        from mesozoic.learn import device_collector

        device_collector.MjxEngine = springy  # type: ignore[assignment, misc]
        return training.main(sys.argv[1:])
    job = read_job(os.environ)
    return Supervisor(job, [sys.executable, __file__, str(job.run)], dict(os.environ), say, SHORT).run()


if __name__ == "__main__":
    sys.exit(main())
