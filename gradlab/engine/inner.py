"""numba's `overload` and `register_jitable` for what kernels alone call.

Without the wrappers by which Python and C would call such a function: to make them is a twelfth of compiling a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import extending

F = TypeVar("F", bound=Callable[..., Any])
OPTIONS: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def overload(function: Callable[..., Any]) -> Callable[[F], F]:
    return extending.overload(function, jit_options=OPTIONS)


def register_jitable(function: F) -> F:
    return extending.register_jitable(**OPTIONS)(function)
