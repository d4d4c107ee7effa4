"""Pictures of a policy: recordings, scenes, videos, strips and footfall diagrams. Judges nothing."""

from mesozoic.shortcut import call_the_api

call_the_api(__name__)
