"""How well a mask of two classes keeps things apart that membranes divide, which a share of right pixels hardly tells.

Truth and answer are cut into segments, the connected components of a foreground, and the segments are compared over
the pixels of the foreground of the truth (Arganda-Carreras et al. 2015, Crowdsourcing the creation of image
segmentation algorithms for connectomics, Frontiers in Neuroanatomy 9:142, its foreground-restricted metrics). Of these
scikit-image's definitions are taken: what an answer has as background is one more segment there, and no border is
thinned first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ann_keras.weight_map import cells


@dataclass(frozen=True)
class MembraneScores:
    """The scores of one image, or their means.

    Attributes:
        rand_error: 1 - 2 P R / (P + R) in [0, 1].
        rand_precision: P, of the pairs of pixels that the answer joins the share that the truth joins; merged segments
            lower it.
        rand_recall: R, of the pairs that the truth joins the share that the answer joins; split segments lower it.
        splits: H(answer | truth) in bits, >= 0: how uncertain the answer's segment is where the truth's is known.
        merges: H(truth | answer) in bits, >= 0. Their sum is the variation of information.

    NaN where the pairs of pixels are none.
    """

    rand_error: float
    rand_precision: float
    rand_recall: float
    splits: float
    merges: float


def membrane_scores(truth: np.ndarray, answer: np.ndarray, foreground: int = 1) -> MembraneScores:
    """Compares the segments of two masks.

    Args:
        truth, answer: uint8 [height, width], indices of classes. Pixels of the truth of any class but the foreground,
            void ones too, count nowhere.
        foreground: the class whose connected components are the segments; the other divides them. Neighbours are those
            along rows and columns, so that a membrane one pixel wide divides where it runs diagonally too.

    Raises:
        ValueError: for masks of different sizes.
    """
    from skimage.metrics import adapted_rand_error, contingency_table, variation_of_information

    if truth.shape != answer.shape:
        raise ValueError(f"the truth is of shape {truth.shape}, the answer of {answer.shape}")
    true, found = cells(truth, (foreground,)), cells(answer, (foreground,))
    counted = true > 0
    if not counted.any():
        return MembraneScores(*[float("nan")] * 5)
    table = contingency_table(true, found, ignore_labels=(0,), sparse_type="array")
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where its documentation says precision, skimage 0.25 gives recall, and the other way round.
        error, recall, precision = map(float, adapted_rand_error(table=table))
    splits, merges = variation_of_information(true, found, table=table / table.sum())
    # Entropies of nothing come out a rounding below 0.
    return MembraneScores(error, precision, recall, max(0.0, float(splits)), max(0.0, float(merges)))


def mean_scores(scores: Iterable[MembraneScores]) -> MembraneScores:
    """The mean of each score over the images that have it; NaN where none has."""
    table = np.array([list(vars(one).values()) for one in scores], np.float64).reshape(-1, 5)
    counts = np.sum(~np.isnan(table), axis=0)
    with np.errstate(invalid="ignore"):
        return MembraneScores(*(np.nansum(table, axis=0) / counts).tolist())
