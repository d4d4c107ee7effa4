"""`mesozoic render`: a video and a picture strip of a policy."""
from __future__ import annotations
def render() -> None:
    """Stub until the video module is there."""
