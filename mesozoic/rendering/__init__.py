"""Pictures of a policy: recordings, scenes, videos, strips and footfall diagrams. Judges nothing."""
