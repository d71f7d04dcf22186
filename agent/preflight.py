"""Looks at a machine for a ring, by a program that a document carries and that stays in memory: nothing is installed."""

from __future__ import annotations

import os
import re
import sys
from importlib.abc import Loader
from importlib.util import spec_from_loader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import NoReturn, Sequence


def main(head: str, command: str, name: str, settings: str, carried: bytes) -> NoReturn:
    """`head` begins the line of a look that got nowhere; `carried` is a SHA-256, and sources, each behind its name."""
    parts = re.split("^#(.+)\n", carried.decode(), flags=re.M)
    sys.meta_path.insert(0, Carried(dict(zip(parts[1::2], parts[2::2]))))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(TICKETRING_SETTINGS=settings, TICKETRING_SCRIPT=parts[1][:12])
    sys.argv = ["ticketring", command, "--check", name]
    try:
        from ticketring.check import main

        sys.exit(main())
    except ImportError:
        # Python lacks a module of its own: who opened this says so.
        raise
    except Exception as error:
        # What it says may hold what was read.
        detail = f"{type(error).__name__} in a look"
        os.write(1, f'{head},"ms":0,"error":"internal-error","detail":"{detail}"}}\n'.encode())
        sys.exit(1)


class Carried(Loader):
    """Imports modules from their sources."""

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        stem = name.replace(".", "/")
        for file in (f"{stem}.py", f"{stem}/__init__.py"):
            if file in self._sources:
                return spec_from_loader(name, self, origin=file, is_package=file.endswith("/__init__.py"))
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """As Python makes it."""

    def exec_module(self, module: ModuleType) -> None:
        file = str(module.__spec__ and module.__spec__.origin)
        exec(compile(self._sources[file], file, "exec", dont_inherit=True), module.__dict__)
