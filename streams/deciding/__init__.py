"""Decide customers: rows as they are after events or at ticks in, change events out."""

from streams.deciding.applied import Applied
from streams.deciding.decider import Decider

__all__ = ["Applied", "Decider"]
