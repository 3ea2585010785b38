"""Percentiles, comparisons with a limit, and the memory of a process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the smallest of `values` that at least `share` of them do not exceed.

    Args:
        values: any order, at least one.
        share: in (0, 1].
    """
    if not values:
        raise ValueError("a percentile of no values")
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], not {share}")
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def at_most(name: str, value: float, limit: float, unit: str) -> bool:
    """Prints a figure beside the most that it may be; returns whether it holds."""
    return _verdict(f"{name}: {value:.3f} {unit} (limit {limit:g})", value <= limit)


def at_least(name: str, value: float, limit: float, unit: str = "x") -> bool:
    """Prints a figure beside the least that it may be; returns whether it holds."""
    return _verdict(f"{name}: {value:.3f} {unit} (at least {limit:g})", value >= limit)


def stated(name: str, value: float, unit: str = "x") -> bool:
    """Prints a figure that has no limit."""
    print(f"       {name}: {value:.3f} {unit}", flush=True)
    return True


def nothing(name: str, count: int) -> bool:
    """Prints a count that must be 0; returns whether it is."""
    return _verdict(f"{name}: {count}", count == 0)


def _verdict(text: str, holds: bool) -> bool:
    print(f"{'holds' if holds else 'FAILS'}  {text}", flush=True)
    return holds


def resident_mib(pid: int) -> float:
    """Returns the resident memory of a process, without its children."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
