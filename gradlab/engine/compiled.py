"""`compiled`: how a kernel is compiled and kept on disk.

numba's disk cache looks at a function's own file alone, while a kernel here is made of the cells' and the engine's
files together. So the cache lives in a folder named by a hash of all of their sources: any edit starts an empty one.

The folder is `GRADLAB_CACHE`, else `gradlab` in the user's cache folder, else in the temporary folder, whichever can be
written first.
"""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

import llvmlite
import numba
from numba.core.caching import Cache, CompileResultCacheImpl, UserProvidedCacheLocator

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def source_hash(package=PACKAGE):
    """Hash of everything that a kernel is compiled from."""
    settings = (numba.__version__, llvmlite.__version__, numba.config.BOUNDSCHECK, numba.config.OPT)
    digest = hashlib.sha256(repr(settings).encode())
    for path in sorted([*(package / "cells").glob("*.py"), *(package / "engine").glob("*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


@cache
def cache_folder():
    """The folder of this version's compiled kernels, made if need be; None where nothing can be written."""
    homes = [
        os.environ.get("GRADLAB_CACHE"),
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradlab",
        Path(tempfile.gettempdir()) / f"gradlab-{os.getuid() if hasattr(os, 'getuid') else 'user'}",
    ]
    for home in filter(None, homes):
        folder = Path(home) / source_hash()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


class _Locator(UserProvidedCacheLocator):
    def get_cache_path(self):
        return str(cache_folder())

    def get_source_stamp(self):
        return source_hash()

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  numba's own name and form


class _KernelCache(Cache):
    _impl_class = _Implementation


def compiled(function):
    """Compiles `function` for the types it is called with, without the interpreter's lock, cached on disk."""
    kernel = numba.njit(nogil=True, error_model="numpy")(function)
    if cache_folder() is not None:
        kernel._cache = _KernelCache(function)
    return kernel
