"""A run on disk: folder, checkpoints, resume, signals, metric sinks. Knows no algorithm."""
