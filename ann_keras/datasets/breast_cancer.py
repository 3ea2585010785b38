"""569 breast masses, malignant or benign, thirty figures of the cell nuclei in an image of each.

Ten quantities of every nucleus, of which the image gives the mean, the standard error and the worst (the mean of the
three largest). Wolberg, Mangasarian, Street and Street, the Wisconsin diagnostic set; the source names no units.
"""

from __future__ import annotations

from ann_keras.datasets.base import Dataset
from ann_keras.datasets.sklearn_tables import BundledTable

STATISTICS = ("Mean", "Standard error", "Mean of the three largest")
QUANTITIES = (
    "radius, the mean distance from the centre to the outline",
    "texture, the standard deviation of the grey values",
    "perimeter",
    "area",
    "smoothness, the local variation of the radius",
    "compactness, perimeter^2 / area - 1",
    "concavity, the severity of the outline's concave parts",
    "number of concave points of the outline",
    "symmetry",
    'fractal dimension, "coastline approximation" - 1',
)


def load() -> Dataset:
    """Opens the masses."""
    return BundledTable(
        "breast_cancer",
        "load_breast_cancer",
        tuple(f"{statistic} of the nuclei's {quantity}." for statistic in STATISTICS for quantity in QUANTITIES),
        "The diagnosis.",
        "569 breast masses, 212 malignant and 357 benign, by thirty figures of their cell nuclei.",
        "CC BY 4.0",
        "W. Wolberg, O. Mangasarian, N. Street and W. Street (1993). Breast Cancer Wisconsin (Diagnostic). "
        "UCI Machine Learning Repository. https://doi.org/10.24432/C5DW2B",
    )
