"""Stages: gates and the loop that trains one. Does not know which backend runs or where files lie."""
