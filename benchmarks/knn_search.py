"""`knn` against scikit-learn's brute-force KNeighborsClassifier on the same pixels: the same answers, and the time of
both.

    python -m benchmarks.knn_search [--dataset tfds:fashion_mnist] [--k 5]

An answer that differs counts as a tie where the k-th and the next distance are equal to one part in 10^6, or the vote
is.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from ann_keras import data, registry, training

EQUAL = 1e-6


def is_tie(query: np.ndarray, examples: np.ndarray, labels: np.ndarray, k: int) -> bool:
    """Whether the answer to a query depends on how ties are broken."""
    distances = ((examples.astype(np.float64) - query) ** 2).sum(axis=1)
    order = np.argsort(distances, kind="stable")[: k + 1]
    last, following = distances[order[k - 1]], distances[order[k]]
    votes = np.bincount(labels[order[:k]])
    return following - last <= EQUAL * following or (votes == votes.max()).sum() > 1


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="tfds:fashion_mnist")
    parser.add_argument("--k", type=int, default=5)
    given = parser.parse_args()
    from sklearn.neighbors import KNeighborsClassifier

    triple = registry.resolve("knn", given.dataset, overrides={"k": given.k})
    loaded = data.load(triple)
    # Both get all that is not the test split.
    splits = [split.arrays for split in (loaded.train, loaded.eval, loaded.test)]
    images, labels = ([part[name] for part in splits if part is not None] for name in ("image", "label"))
    flat = [part.reshape(len(part), -1) for part in images]
    examples, known = np.concatenate(flat[:2]), np.concatenate(labels[:2])
    queries, answers = flat[2], labels[2]

    model = training.build(triple)
    started = time.perf_counter()
    model.fit({"image": np.concatenate(images[:2])}, known)
    ours = model.predict({"image": images[2]}, batch_size=triple.training.batch_size, verbose=0).argmax(axis=1)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

    peer = KNeighborsClassifier(given.k, algorithm="brute")
    started = time.perf_counter()
    theirs = peer.fit(examples, known).predict(queries)
    peer_seconds = time.perf_counter() - started

    differing = np.flatnonzero(ours != theirs)
    ties = sum(is_tie(queries[row], examples, known, given.k) for row in differing)
    print(f"{len(queries)} queries, {len(examples)} examples: {len(differing)} answers differ, {ties} of them ties")
    print(f"accuracy knn {np.mean(ours == answers):.4f}, scikit-learn {np.mean(theirs == answers):.4f}")
    print(f"knn {seconds:.1f} s, scikit-learn {peer_seconds:.1f} s: ratio {seconds / peer_seconds:.2f} (limit 1)")
    print(f"peak memory of the process before scikit-learn's turn {memory:.0f} MiB")


if __name__ == "__main__":
    main()
