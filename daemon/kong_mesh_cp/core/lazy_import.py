"""Modules that are imported when something in them is first used.

A start does not wait for what it may never need. This is the only seam of that kind for modules
(for kinds of resources it is `resources/lazy_kinds.py`); the type checker and the import law see
an import as any other:

    if TYPE_CHECKING:
        import yaml
    else:
        yaml = lazy_import("yaml")
"""

from __future__ import annotations

import sys
from types import ModuleType


class _LazyModule(ModuleType):
    """Stands in for a module of the same name."""

    def __getattr__(self, name: str) -> object:
        """What is used is kept here: the detour is taken once for each name."""
        __import__(self.__name__)  # not import_module: `python -X importtime` would not see it
        found: object = getattr(sys.modules[self.__name__], name)
        setattr(self, name, found)
        return found


def lazy_import(name: str) -> ModuleType:
    """The module `name`, which need not be installed. Its first use raises ImportError, if any.

    Threads may use it first at the same time: the import itself takes turns.
    """
    return _LazyModule(name)
