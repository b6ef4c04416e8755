"""The ground both sides of the wire stand on: how a kernel is compiled, and the one transcendental that kernels call.

Kernels are plain scalar loops in the Numba subset. They give the same bits compiled, interpreted (NUMBA_DISABLE_JIT=1)
and as C without contraction, because they use no libm function but sqrt, no fastmath and no unsigned integers.

Numba's cache does not notice edits in other modules than the kernel's own, so the cache folder is named after a hash of
every source file that a kernel can draw from, of the versions and of the processor.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast

os.environ.setdefault(
    "NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1"
)  # read by numba's import; colours cost 5 % of a compilation

import llvmlite.binding
import numba
import numpy as np

# Numba's own type hints know neither its configuration nor the options _nrt and no_cfunc_wrapper.
_config: Any = numba.config
_njit: Any = numba.njit

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGES = ("firmware_sim", "hil")
_MARK = re.compile(rb"^@(?:kernel|inlined)\b", re.MULTILINE)
_IMPORT = re.compile(
    rb"^from ((?:firmware_sim|hil)[\w.]*) import (\([^)]*\)|[\w, ]+)|^import ((?:firmware_sim|hil)[\w.]*)", re.MULTILINE
)


def kernel_sources(roots: dict[str, Path]) -> list[Path]:
    """Every file that holds a kernel or that such a file imports, directly or not, in name order."""
    text = {path: path.read_bytes() for root in roots.values() for path in sorted(root.rglob("*.py"))}
    todo = [path for path, source in text.items() if _MARK.search(source)]
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.add(path)
        for match in _IMPORT.finditer(text[path]):
            module = (match[1] or match[3]).decode()
            names = match[2].decode().strip("()").split(",") if match[2] else []
            for name in [module, *(f"{module}.{n.split()[0]}" for n in names if n.strip())]:
                package, *rest = name.split(".")
                base = roots[package].joinpath(*rest) if package in roots else None
                if base is not None:
                    todo += [p for p in (base.with_suffix(".py"), base / "__init__.py") if p in text]
    return sorted(found)


def _package_roots() -> dict[str, Path]:
    roots = {}
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            roots[name] = Path(spec.origin).parent
    return roots


@lru_cache(maxsize=1)
def _installed_sources() -> tuple[Path, ...]:
    """The kernel sources of the installed packages; reading them all takes 10 ms, so once a process."""
    return tuple(kernel_sources(_package_roots()))


def cache_key(roots: dict[str, Path] | None = None) -> str:
    """Hash over kernel sources, versions and processor: two equal keys may share compiled code.

    roots: package name to folder; the installed packages when None.
    """
    return _key(_installed_sources() if roots is None else kernel_sources(roots), _versions())


def _key(sources: Sequence[Path], versions: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update("\0".join(versions).encode())
    return digest.hexdigest()[:16]


def _versions() -> list[str]:
    """Of Python, Numba and NumPy, whether bounds are checked, and the processor."""
    target = os.environ.get("NUMBA_CPU_NAME") or llvmlite.binding.get_host_cpu_name()
    return [sys.version, numba.__version__, np.__version__, os.environ.get("NUMBA_BOUNDSCHECK", ""), target]


def cache_root() -> Path:
    """Where compiled kernels are kept: $NABENCH_CACHE_DIR, else the user's cache folder, else a temporary one of the user."""
    named = os.environ.get("NABENCH_CACHE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(base) / "nabench"
    with contextlib.suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
        if os.access(root, os.W_OK):
            return root
    return Path(tempfile.gettempdir()) / f"nabench-cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _use_cache_folder() -> tuple[Path, BinaryIO | None]:
    """The folder of our key, and the file that locks it against removal."""
    from firmware_sim import caches  # in here, so that it is no source of a kernel

    root = cache_root()
    folder = root / cache_key()
    is_new = not folder.exists()
    try:
        held = caches.occupy(folder, _package_roots(), _versions())
    except OSError as error:
        raise OSError(
            f"{folder}: compiled kernels cannot be kept there: {error.strerror}; set NABENCH_CACHE_DIR to a folder of yours"
        ) from None
    if is_new:
        caches.forget(root, folder, _versions(), lambda roots, versions: _key(kernel_sources(roots), versions))
    # Numba reads its environment again whenever that has changed, and would go back to folders beside the sources, which
    # notice no edit in another module
    os.environ["NUMBA_CACHE_DIR"] = _config.CACHE_DIR = str(folder)
    return folder, held


CACHE_FOLDER, _in_use = _use_cache_folder()


def is_compiled() -> bool:
    """True when kernels are compiled; False when they run as plain Python (NUMBA_DISABLE_JIT=1)."""
    return not _config.DISABLE_JIT


def installation() -> str:
    """Name of these very files: Numba compiles again for a copy elsewhere, or for one that was written anew."""
    digest = hashlib.sha256()
    for path in _installed_sources():
        stat = path.stat()
        digest.update(f"{path} {stat.st_mtime_ns} {stat.st_size}\0".encode())
    return digest.hexdigest()[:16]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a scalar loop, cached, with NumPy's division rules (x / 0 = inf, no exception) and without fastmath.

    Without Numba's run-time library a kernel cannot allocate, and it does not count references to its arrays: that
    alone made a CRC cost 3.5 instead of 46 ns.
    """
    return cast("Callable[P, R]", _njit(cache=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A small kernel that is copied into its callers: passing ten arrays costs more than a comparison."""
    return cast("Callable[P, R]", _njit(cache=True, error_model="numpy", _nrt=False, inline="always")(function))


@kernel
def exp(x: float) -> float:
    """E to the x, the same bits on every machine; 0 below -700, e^700 above 700.

    x = n ln 2 + r with |r| <= ln(2)/2, then the Taylor series of e^r to the 13th power (error below 1e-16 relative) and
    a scaling by 2^n, which is exact. glibc's own differs between processors with and without FMA.
    """
    if not x > -700.0:
        return 0.0
    if x > 700.0:
        x = 700.0
    n = math.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    s = 1.0 / 479001600.0 + r / 6227020800.0
    s = 1.0 / 39916800.0 + r * s
    s = 1.0 / 3628800.0 + r * s
    s = 1.0 / 362880.0 + r * s
    s = 1.0 / 40320.0 + r * s
    s = 1.0 / 5040.0 + r * s
    s = 1.0 / 720.0 + r * s
    s = 1.0 / 120.0 + r * s
    s = 1.0 / 24.0 + r * s
    s = 1.0 / 6.0 + r * s
    s = 0.5 + r * s
    s = 1.0 + r * s
    s = 1.0 + r * s
    return math.ldexp(s, int(n))
