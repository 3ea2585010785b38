"""178 wines of three growers in one region of Italy, thirteen chemical measurements of each.

The source names the constituents and no units.
"""

from __future__ import annotations

from ann_keras.datasets.base import Dataset
from ann_keras.datasets.sklearn_tables import BundledTable

COLUMNS = (
    "Alcohol.",
    "Malic acid.",
    "Ash.",
    "Alcalinity of ash.",
    "Magnesium.",
    "Total phenols.",
    "Flavanoids.",
    "Phenols other than flavanoids.",
    "Proanthocyanins.",
    "Intensity of the colour.",
    "Hue.",
    "OD280/OD315 of the diluted wine, a ratio of absorbances.",
    "Proline.",
)


def load() -> Dataset:
    """Opens the wines."""
    return BundledTable(
        "wine",
        "load_wine",
        tuple(f"{text} The source gives no unit." if "ratio" not in text else text for text in COLUMNS),
        "The grower (cultivar).",
        "178 wines of three growers in one region of Italy, by thirteen chemical measurements.",
        "CC BY 4.0",
        "S. Aeberhard and M. Forina (1992). Wine. UCI Machine Learning Repository. https://doi.org/10.24432/C5PC7J",
    )
