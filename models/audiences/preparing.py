"""Have the kernels of the audiences ready."""

from __future__ import annotations

import numpy as np

from models.audiences.machine import Machine
from models.audiences.membership import Standing, Timers
from models.profiles.layout import AUDIENCES


def prepare() -> None:
    """Have the kernels compiled, or loaded if they were compiled before: no customer shall wait for it."""
    nobody, bits, times = np.empty(0, np.intp), np.empty(0, np.uint32), np.empty(0, np.int64)
    Machine([], [], [], {}, []).run(np.empty((0, 0)), bits, np.zeros((0, 0), np.uint32))
    standing = Standing(bits, np.empty((0, AUDIENCES), np.uint32))
    Timers({}, {}).walk(standing, nobody, nobody, np.empty(0, np.bool_), times, bits, bits, 0, bits)
