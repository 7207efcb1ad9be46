"""`compiled`: how a kernel is compiled and kept on disk.

numba's disk cache checks only a function's file, while a kernel here is made of several of the engine's files and of
a cell. So the cache lives in a folder named by a hash of the engine's part (`SOURCES`), a new one after each edit, and
in it a kernel is found by its arguments' types and a hash of the cell's code: an edit of a cell compiles that cell's
kernels again and no other's.

Beside kernels, which Python calls, their modules have what kernels call: functions that numba may substitute
(`register_jitable`), functions whose code depends on the arguments' types (`overload`), and single machine instructions
that numba has no name for (`intrinsic`).

The folder is `GRADLAB_CACHE`, else `gradlab` in the user's cache folder, else in the temporary folder: the first that
can be written, belongs to this user and is closed to others, since what lies in it is run; else one of this process
alone. What cannot be read in it is compiled again.

A kernel calls functions by names that numba numbers from 1 in every process. Two kernels that two processes made would
bring a third the same name for two functions, of which the first would be called for both: so each process numbers from
a random place. And numba tells named tuples, as cells are, apart by the names of their classes alone (`told_apart`).

Processes that begin with an empty folder share the work: who begins a kernel claims it, and others wait for its file.
A claim is a lock that the system takes from a process that ends; from a process that stands still it is not awaited for
ever.
"""

import atexit
import contextlib
import hashlib
import itertools
import os
import pickle
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, BinaryIO

import llvmlite
import numba
from numba import types
from numba.core import config
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import Cache, CompileResultCacheImpl, UserProvidedCacheLocator
from numba.core.serialize import dumps
from numpy import ndarray

try:
    import fcntl
except ImportError:  # on Windows processes compile side by side
    fcntl = None

PACKAGE = Path(__file__).resolve().parents[1]
CLAIM_SECONDS, SAVE_SECONDS = 60.0, 5.0  # for which a lock of another process is waited for
# What kernels are made of, but for the cells: `kernels` and all modules that it imports.
SOURCES = (
    "cells/activations.py",
    "engine/buffers.py",
    "engine/compiled.py",
    "engine/elementary.py",
    "engine/inner.py",
    "engine/kernels.py",
    "engine/lanes.py",
    "engine/overloads.py",
    "engine/products.py",
    "engine/scaling.py",
)

FunctionIdentity._unique_ids = itertools.count(secrets.randbits(48))

_known: dict[str, Any] = {}
_knowing = threading.Lock()


@cache
def source_hash(package: Path = PACKAGE) -> str:
    """Hash of everything that a kernel is compiled from, but for the cell."""
    settings = (numba.__version__, llvmlite.__version__, *(getattr(config, name) for name in ("BOUNDSCHECK", "OPT")))
    digest = hashlib.sha256(repr(settings).encode())
    for name in SOURCES:
        digest.update(name.encode() + b"\0" + (package / name).read_bytes() + b"\0")
    return digest.hexdigest()[:20]


@cache
def cell_hash(cell: type[Any]) -> str:
    """Hash of everything in a cell that a kernel is compiled from: its step and adjoint, and the names of its rows."""
    names = (cell.pre_activations, cell.saved, cell.record.__qualname__, cell.record._fields)
    digest = hashlib.sha256(repr(names).encode())
    seen: set[FunctionType] = set()
    for function in (cell.step, cell.adjoint):
        for part in _parts_of(function, seen):
            digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:20]


def told_apart(cell: Any) -> Any:
    """The cell; where another class has its name, as after an edit, the name gets the hash of what it computes."""
    with _knowing:
        if _known.setdefault(cell.__name__, cell) is not cell:
            cell.__name__ = f"{cell.__qualname__} {cell_hash(cell)}"
            _known[cell.__name__] = cell
    return cell


def _parts_of(function: FunctionType, seen: set[FunctionType]) -> Iterator[str]:
    """What a function computes: its instructions and constants, and those of all that it reads by name."""
    if function in seen:
        return
    seen.add(function)
    yield repr(function.__defaults__)
    codes = [function.__code__]
    values = [cell.cell_contents for cell in function.__closure__ or ()]
    while codes:
        code = codes.pop()
        yield f"{code.co_code.hex()} {code.co_varnames} {code.co_names}"
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                codes.append(constant)
            else:
                yield repr(constant)
        named = [function.__globals__.get(name) for name in code.co_names]
        modules = [value for value in named if isinstance(value, ModuleType)]
        values += named + [getattr(module, name, None) for module in modules for name in code.co_names]
    for value in values:
        value = getattr(value, "py_func", value)  # of what numba has compiled
        if isinstance(value, FunctionType):
            yield from _parts_of(value, seen)
        else:
            yield _text_of(value)


def _text_of(value: Any) -> str:
    """A value that a function reads, in full and the same in every process."""
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, ndarray):  # numpy prints the ends of a large array alone
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    return repr(value)


@cache
def cache_folder() -> Path | None:
    """The folder of this version's compiled kernels, made if need be; None where nothing can be written."""
    homes = [
        os.environ.get("GRADLAB_CACHE"),
        _user_cache(),
        Path(tempfile.gettempdir()) / f"gradlab-{os.getuid() if hasattr(os, 'getuid') else 'user'}",
    ]
    for home in map(Path, filter(None, homes)):
        folder = home / source_hash()
        try:
            for made in (home, folder):
                made.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _is_ours(home) and _is_ours(folder):
                with tempfile.TemporaryFile(dir=folder):
                    return folder
        except OSError:
            continue
    try:
        alone = tempfile.mkdtemp(prefix="gradlab-")
    except OSError:
        return None
    atexit.register(shutil.rmtree, alone, ignore_errors=True)
    return Path(alone)


def _user_cache() -> Path | None:
    """The user's cache folder; None for a user without a home, as a container may run."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "gradlab"
    try:
        return Path.home() / ".cache" / "gradlab"
    except RuntimeError:
        return None


def _is_ours(folder: Path) -> bool:
    """Whether a folder belongs to this user, and no one else may write into it."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


class _Locator(UserProvidedCacheLocator):
    """Where numba keeps a kernel, and the stamp by which it knows that the sources are still the same."""

    def get_cache_path(self):
        return str(cache_folder())

    def get_source_stamp(self):
        return source_hash()

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  numba's own name and form

    def reduce(self, cres):
        data = dumps(super().reduce(cres))
        return hashlib.sha256(data).digest(), data

    def rebuild(self, target_context, payload):
        digest, data = payload
        if hashlib.sha256(data).digest() != digest:  # changed machine code would end the process
            raise ValueError("the kernel on disk was changed")
        return super().rebuild(target_context, pickle.loads(data))


class _KernelCache(Cache):
    _impl_class = _Implementation

    def __init__(self, py_func):
        super().__init__(py_func)
        self._claims: dict[Any, BinaryIO | None] = {}  # of kernels that this process compiles

    def load_overload(self, sig, target_context):
        """None where there is none, and where what is there cannot be read: then it is compiled and written anew."""
        found, key = self._read(sig, target_context), self._index_key(sig, target_context.codegen())
        if found is None and key not in self._claims:
            claim = self._lock(f"{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}", CLAIM_SECONDS)
            found = self._read(sig, target_context)
            if found is None:
                self._claims[key] = claim
            elif claim is not None:
                claim.close()
        return found

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):  # a full disk: the kernel is compiled, only not kept
            index = self._lock("index", SAVE_SECONDS)  # which is read, and written with one entry more
            try:
                super().save_overload(sig, data)
            except Exception:  # the index, which is read first, cannot be: it begins again
                self.flush()
                super().save_overload(sig, data)
            finally:
                if index is not None:
                    index.close()
        if (claim := self._claims.pop(self._index_key(sig, data.codegen), None)) is not None:
            claim.close()

    def _read(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # an empty, truncated or foreign file raises whatever its bytes come to
            return None

    def _lock(self, name: str, seconds: float) -> BinaryIO | None:
        """A lock of this kernel's, until its file is closed; None after so long, and where files cannot be locked."""
        if fcntl is None:
            return None
        try:
            file = (Path(self._cache_path) / f"{self._cache_file._index_name}.{name}.lock").open("wb")
        except OSError:
            return None
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                if time.monotonic() > end:
                    break
                time.sleep(0.02)
            except OSError:
                break
        file.close()
        return None

    def _index_key(self, sig, codegen):
        """By what numba finds a kernel: plain text, so that an index is read where another's cell cannot be imported.

        numba's key has the types themselves, which for a cell is its class whatever its code.
        """
        names = tuple(_name_with_code(argument) for argument in sig)
        return names, codegen.magic_tuple()  # the processor


def _name_with_code(argument: types.Type) -> str:
    if isinstance(argument, types.NamedTuple | types.NamedUniTuple):
        cell = argument.instance_class
        return f"{cell.__module__}.{cell.__qualname__} {cell_hash(cell)}"
    return str(argument)


def compiled(function: Callable) -> Any:
    """Compiles `function` for the types it is called with, without the interpreter's lock, cached on disk."""
    # error_model: dividing by zero gives infinity, as numpy does, where Python's raises from inside a loop
    kernel: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if cache_folder() is not None:
        kernel._cache = _KernelCache(function)  # as `cache=True` does, which takes no cache but numba's
    return kernel
