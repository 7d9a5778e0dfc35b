"""Start-up of a command: packages whose names are imported when they are first used, and imports that take long.

MONAI imports all of itself, with ignite, parts of torch that few programs need, scipy, scikit-image and matplotlib: several
seconds of CPU time. So a command imports it only where it needs it.
"""

from __future__ import annotations

import ast
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["defer_signals", "import_at_rest", "import_monai", "lazy_names", "let_threads_sleep"]


def lazy_names(package: str, file: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package, which imports a module when one of its names is first used.

    The package lists the names as ``from .module import name`` below ``if TYPE_CHECKING:``, where type checkers and
    `medkd pack` read them too. No name may be that of a module of the package: an imported module hides it.

    Args:
        package: its ``__name__``.
        file: its ``__file__``.

    Example:
        >>> from medkd import losses
        >>> losses.KDLoss.__module__
        'medkd.losses.kd'
    """

    def get(name: str) -> Any:
        if name not in _origins(file):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{_origins(file)[name]}"), name)

    return get


@cache
def _origins(file: str) -> dict[str, str]:
    """Return the names that a package imports from its modules, and these modules."""
    nodes = ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def let_threads_sleep() -> None:
    """Let threads of torch sleep soon when they wait for each other. Without effect once torch is imported.

    libgomp's threads spin for milliseconds first. Where other programs use the cores a step takes twenty times as long that
    way (``benchmarks/thread_wait.py``). ``OMP_WAIT_POLICY`` and ``GOMP_SPINCOUNT`` of the environment are kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def import_monai() -> None:
    """Import torch and MONAI, see `import_at_rest`."""
    import_at_rest("monai.bundle")


def import_at_rest(name: str) -> Any:
    """Import a module, and all that it imports, while Python's garbage collector rests: a third of torch's import is saved.

    The collector looks for garbage each time that many objects were made. An import makes many, and they all stay. They are
    frozen, else the collector would go through all of them as soon as it is on again. SIGTERM and Ctrl-C wait for the end.

    Args:
        name: of the module.

    Returns:
        The module.
    """
    if name in sys.modules:
        return sys.modules[name]
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        with defer_signals():
            module = import_module(name)
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
    return module


@contextmanager
def defer_signals() -> Iterator[None]:
    """Hold SIGTERM and Ctrl-C back within the context, and handle the first of them at its end.

    For imports: torch imports numpy from C++ and clears the exception that a handler raises there. The process would go on
    with half of numpy.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    is_main = threading.current_thread() is threading.main_thread()  # others may set no handler
    raising = {number: handler for number, handler in handlers.items() if is_main and callable(handler)}
    arrived: list[int] = []
    for number in raising:
        signal.signal(number, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in raising.items():
            signal.signal(number, handler)
    if arrived:
        raising[signal.Signals(arrived[0])](arrived[0], None)
