"""Keys from digests of rows, and the places of rows in a draw: keyed hashes that no order, shard or worker changes."""

from __future__ import annotations

import hashlib

import numpy as np

DIGEST_BYTES = 8


def ranks(keys: np.ndarray, purpose: str) -> np.ndarray:
    """Hashes keys with BLAKE2b.

    Args:
        keys: str [rows], unique.
        purpose: what is drawn, with its seed; the hashes of another purpose have nothing to do with these.

    Returns:
        uint64 [rows]; their order is a permutation of the rows that looks random.

    Raises:
        ValueError: naming a key that is not unique.
    """
    secret = hashlib.blake2b(purpose.encode(), digest_size=32).digest()
    digests = (hashlib.blake2b(str(key).encode("utf-8", "surrogateescape"), digest_size=8, key=secret) for key in keys)
    found = np.fromiter((int.from_bytes(digest.digest(), "big") for digest in digests), np.uint64, len(keys))
    _check_unique(keys, found)
    return found


def _check_unique(keys: np.ndarray, found: np.ndarray) -> None:
    # Equal keys have equal hashes: only those few are compared, not millions of strings.
    ascending = np.sort(found)
    shared = np.isin(found, ascending[1:][ascending[1:] == ascending[:-1]])
    names, counts = np.unique(np.asarray(keys)[shared], return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"the key {str(names[counts > 1][0])!r} stands for more than one example; keys must be unique")


def of_digests(digests: np.ndarray, repeated: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Keys, str [rows]: digests in hexadecimal, and after a "-" how often the row has come before.

    Args:
        digests: uint64 [rows], of what the rows hold.
        repeated, times: as of `repeats`.
    """
    digits = np.frombuffer(digests.astype(">u8").tobytes().hex().encode(), f"S{2 * DIGEST_BYTES}")
    if not len(repeated):
        return digits.astype(f"U{2 * DIGEST_BYTES}")
    found = digits.astype(f"U{2 * DIGEST_BYTES + 1 + len(str(times.max()))}")
    found[repeated] = np.char.add(np.char.add(found[repeated], "-"), times.astype(str))
    return found


def repeats(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose digest has come before, int64 ascending, and how often, int64; of digests, uint64 [rows]."""
    order = np.argsort(digests, kind="stable")
    ascending = digests[order]
    is_first = np.append(True, ascending[1:] != ascending[:-1])
    run = np.flatnonzero(is_first)
    times = np.arange(len(order)) - np.repeat(run, np.diff(np.append(run, len(order))))
    later = np.flatnonzero(times)
    rows = order[later]
    by_row = np.argsort(rows)
    return rows[by_row], times[later][by_row]
