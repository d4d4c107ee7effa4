"""Stages: gates and the loop that trains one. Does not know which backend runs or where files lie."""

from mesozoic.shortcut import call_the_api

call_the_api(__name__)
