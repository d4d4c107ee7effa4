"""Engines: each chooses the points of a sweep, starts their trials and hears how they go."""
