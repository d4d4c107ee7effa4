"""SkyPilot's own spelling of GPU names: its price lists take `a100` for another machine than `A100`."""

from __future__ import annotations

import re
from typing import Any

from mesozoic.cloud.sky.sky_errors import import_sky

PLAIN = re.compile(r"[A-Za-z0-9._-]+")
"""SkyPilot takes a name for a regular expression."""


def canonical_name(name: str) -> str:
    """The name in SkyPilot's spelling; as it is if SkyPilot knows none that differs only in case."""
    import_sky()
    from sky.utils import accelerator_registry, registry

    if not PLAIN.fullmatch(name):
        return name
    try:
        # A cloud, no matter which, keeps it from asking Kubernetes clusters over the network.
        cloud = registry.CLOUD_REGISTRY.from_str("aws")
        found = str(accelerator_registry.canonicalize_accelerator_name(name, cloud))
    except ValueError:  # part of several names
        return name
    return found if found.lower() == name.lower() else name


def with_canonical_names(resources: Any) -> Any:
    """SkyPilot's resources with the accelerators spelled like that."""
    wanted = resources.accelerators
    if not wanted:
        return resources
    spelled = {canonical_name(name): count for name, count in wanted.items()}
    return resources if spelled == wanted else resources.copy(accelerators=spelled)
