"""150 iris flowers of three species, four lengths in centimetres of each: Fisher's example of 1936.

The values are those of Fisher's paper; the copy at UCI differs in two rows.
"""

from __future__ import annotations

from ann_keras.datasets.base import Dataset
from ann_keras.datasets.sklearn_tables import BundledTable

COLUMNS = (
    "Length of the sepal in cm.",
    "Width of the sepal in cm.",
    "Length of the petal in cm.",
    "Width of the petal in cm.",
)


def load() -> Dataset:
    """Opens the flowers."""
    return BundledTable(
        "iris",
        "load_iris",
        COLUMNS,
        "The species.",
        "150 iris flowers of three species, 50 of each, measured in centimetres.",
        "CC BY 4.0 (UCI's copy)",
        "R. A. Fisher (1936). The use of multiple measurements in taxonomic problems. "
        "Annals of Eugenics 7(2), 179-188. https://doi.org/10.1111/j.1469-1809.1936.tb02137.x",
    )
