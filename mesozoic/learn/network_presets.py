"""Hidden layer widths of the named network presets."""

from __future__ import annotations

PRESETS: dict[str, tuple[int, ...]] = {
    "small": (64, 64),
    "medium": (128, 128),
    "large": (256, 256),
    "deep": (128, 128, 128),
    "tapered": (256, 128, 64),
    "deep_tapered": (256, 256, 128, 64),
}


def hidden_widths(net_arch: str | tuple[int, ...]) -> tuple[int, ...]:
    """Widths of a preset, or the widths themselves."""
    return PRESETS[net_arch] if isinstance(net_arch, str) else tuple(net_arch)
