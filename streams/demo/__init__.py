"""The demo: a broker, a shop and a worker on this machine, and what comes out of them.

The worker is the product's own, in a process of its own, and everything goes through real topics; nothing
here knows how segments are found. Called by the command `demo` only.
"""

from streams.demo.run import Demo, Plan
from streams.demo.summary import Summary

__all__ = ["Demo", "Plan", "Summary"]
