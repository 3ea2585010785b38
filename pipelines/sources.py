"""Digests of our own source files, so that TFX's cache sees a changed line of code."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("ann_keras", "serving", "pipelines")
TABLES = ("ann_keras.registry",)
"""What everything imports and no result depends on: a new line there must not recompute other models' pipelines."""


def digests(*modules: str) -> dict[str, str]:
    """The digest of each file that `modules` need, found by following their imports within the project.

    Args:
        modules: dotted names.

    Returns:
        the first eight hexadecimal digits of the SHA-256 by dotted name, sorted.
    """
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        path = _path(module)
        if module in found or module in TABLES or path is None:
            continue
        source = path.read_bytes()
        found[module] = hashlib.sha256(source).hexdigest()[:8]
        waiting.extend(_imports(module, path.name == "__init__.py", source))
    return dict(sorted(found.items()))


@functools.cache
def _path(module: str) -> Path | None:
    package, _, rest = module.partition(".")
    if package not in PACKAGES:
        return None
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    stem = (
        Path(spec.submodule_search_locations[0], *rest.split(".")) if rest else Path(spec.submodule_search_locations[0])
    )
    for path in (stem.with_name(stem.name + ".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(module: str, is_package: bool, source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from _with_parents(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*parents, *base.split(".")] if base else parents)
            yield from _with_parents([base, *(f"{base}.{alias.name}" for alias in node.names)])


def _with_parents(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        parts = name.split(".")
        if parts[0] in PACKAGES:
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
