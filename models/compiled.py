"""Functions that numba compiles: loops over rows at the speed of C.

A *kernel* is what numpy code calls. What is compiled for it is kept in `__pycache__` beside the source (or
where NUMBA_CACHE_DIR says), so that only the first process on a machine pays for it. The cache knows the
kernel's own file and the types of its arguments, nothing else: so a kernel calls compiled functions of its
own file only, and what may change elsewhere, half-lives for instance, is an argument.

numba counts the references to each array at each call of a function, which costs more than small functions
do. Where no arrays are made, only used, nothing need be counted: see `bare_kernel`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Return the function, compiled at its first call for the types that it is called with."""
    try:
        return _compiled(function, cache=True)
    except RuntimeError:  # no folder can be written: each process compiles for itself
        return _compiled(function, cache=False)


def compiled(function: Function) -> Function:
    """Return a function that kernels call."""
    return _compiled(function, cache=False)


def bare_kernel(function: Function) -> Function:
    """Return a kernel that makes and returns no arrays, nor do the functions it calls, all of them `bare`."""
    try:
        return _compiled(function, cache=True, **_BARE)
    except RuntimeError:  # as above
        return _compiled(function, cache=False, **_BARE)


def bare(function: Function) -> Function:
    """Return a function that bare kernels call; it becomes part of them."""
    return _compiled(function, cache=False, **_BARE)


_BARE = {"_nrt": False, "forceinline": True}
"""The first is numba's own, not documented: no counting. A function that makes an array does not compile."""


def _compiled(function: Function, *, cache: bool, **options: bool) -> Function:
    """Compile as numpy calculates: a division by zero gives inf or NaN, rounding is not relaxed."""
    compile_ = numba.njit(cache=cache, error_model="numpy", fastmath=False, **options)  # type: ignore[call-overload] # knows no _nrt
    return cast("Function", compile_(function))
