"""The places of rows in a draw: keyed hashes of their keys, which no order, shard or worker changes."""

from __future__ import annotations

import hashlib

import numpy as np


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
