"""gradlab: see, measure and repair gradient flow in recurrent networks.

>>> import gradlab
>>> trace = gradlab.trace(gradlab.Experiment(cell="lstm", steps=1000, keep_bias=1.0))
>>> trace.table, trace.rate(), gradlab.diagnose(trace).sentence

The public names are those of `gradlab.public`. Every module of the analyses, and a few others, belong to the package's
top wherever their files lie: `gradlab.paths.decompose(...)`, `import gradlab.paths`,
`from gradlab.paths import decompose`.

Nothing is loaded before it is used: torch and the compiler take seconds, which a command's help must not wait for.
"""

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradlab.analyses import pictures
from gradlab.version import VERSION as __version__  # noqa: F401

if TYPE_CHECKING:
    from gradlab.public import *  # noqa: F403
    from gradlab.public import MODULES as MODULES


def _notebook() -> pictures.Draws:
    from gradlab import notebook

    return notebook


pictures.drawn_by(_notebook)

ROOMS = frozenset(module.name for module in pkgutil.iter_modules(__path__))  # noqa: F405


def __getattr__(name: str) -> Any:
    """A public name, a module of the package's top or a package, loaded when it is first asked for."""
    if name in ROOMS:
        return importlib.import_module(f"gradlab.{name}")
    if not name.startswith("__") or name == "__all__":
        public = importlib.import_module("gradlab.public")
        if name in (*public.__all__, "__all__", "MODULES"):
            return globals().setdefault(name, getattr(public, name))
        if name in public.MODULES:
            return globals().setdefault(name, importlib.import_module(public.MODULES[name]))
    raise AttributeError(f"module 'gradlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    public = importlib.import_module("gradlab.public")
    return sorted({*globals(), *public.__all__, *public.MODULES})


class _AtTheTop:
    """Finds modules by their names at the package's top, and the modules inside them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        top, _, inner = name.partition(".")
        if package != "gradlab" or not top or top in ROOMS:
            return None
        real = importlib.import_module("gradlab.public").MODULES.get(top)
        if real is None:
            return None
        loader: Any = _TheSame(f"{real}.{inner}" if inner else real)  # without importlib.abc, which takes 6 ms to load
        return ModuleSpec(fullname, loader)


class _TheSame:
    """Gives the module of another name, so that none is ever loaded a second time."""

    def __init__(self, real: str):
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._real)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has just put another in its place


sys.meta_path.insert(0, _AtTheTop())  # before the finder of files, which would load what is inside a second time
