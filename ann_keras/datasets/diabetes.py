"""442 patients with diabetes, ten measurements of each, and how far the disease had come a year later: a number.

From Efron, Hastie, Johnstone and Tibshirani (2004), section 1; the values in their own units, not scaled.
"""

from __future__ import annotations

from ann_keras.datasets.base import Dataset
from ann_keras.datasets.sklearn_tables import BundledTable

COLUMNS = (
    "Age in years.",
    "Sex, coded 1 and 2.",
    "Body mass index in kg/m2.",
    "Average blood pressure; the source gives no unit.",
    "tc, total serum cholesterol; the source gives no unit.",
    "ldl, low-density lipoproteins; the source gives no unit.",
    "hdl, high-density lipoproteins; the source gives no unit.",
    "tch, total cholesterol divided by HDL.",
    "ltg, possibly the logarithm of the serum triglycerides.",
    "glu, blood sugar; the source gives no unit.",
)


def load() -> Dataset:
    """Opens the patients."""
    return BundledTable(
        "diabetes",
        "load_diabetes",
        COLUMNS,
        "A quantitative measure of the disease's progression one year after the baseline, 25 to 346, without unit.",
        "442 patients with diabetes: ten measurements, and the disease's progression one year later.",
        "",
        "B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004). Least Angle Regression. "
        "Annals of Statistics 32(2), 407-499. https://doi.org/10.1214/009053604000000067",
    )
