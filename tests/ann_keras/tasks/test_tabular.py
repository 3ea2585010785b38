"""Columns as units, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.analysis import Constants, masked_powers
from ann_keras.settings import apply
from ann_keras.task import Feature
from ann_keras.tasks import tabular
from ann_keras.tasks.tabular import Columns

NAN = float("nan")
AGE = Feature("age", "number")
PAY = Feature("pay", "number", optional=True)
SEX = Feature("sex", "text", distinct=2, optional=True)
RAW = {"age": [10.0, 20.0, 30.0], "pay": [1.0, NAN, 3.0], "sex": ["f", "m", ""]}


def raw(**columns: list[Any]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(values) for name, values in columns.items()}


def constants(numbers: list[list[float]], **more: Any) -> Constants:
    powers = masked_powers(tf.constant(numbers, tf.float32))
    return Constants({"numbers": tf.reduce_mean(powers, axis=0).numpy(), **more})


def config(**settings: Any) -> Columns:
    return apply([Columns()], settings)[0]


def test_units_by_hand() -> None:
    columns = (AGE, PAY, SEX)
    given = constants([[10, 1], [20, NAN], [30, 3]], sex_vocabulary=np.array([b"m", b"f"], object))
    found = tabular.units(raw(**RAW), given, columns, config()).numpy()
    names = tabular.unit_names(columns, config())
    assert names == ("age", "pay", "pay is missing", "sex, value 1", "sex, value 2", "sex, another value")
    z = np.sqrt(1.5)
    np.testing.assert_allclose(found[:, 0], [-z, 0, z], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], [-1, 0, 1], rtol=1e-6)  # the missing one is the mean
    assert found[:, 2].tolist() == [0, 1, 0]
    assert found[:, 3:].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_an_unseen_value_and_a_missing_one_are_two_things() -> None:
    given = Constants({"sex_vocabulary": np.array([b"m", b"f"], object)})
    found = tabular.units(raw(sex=["x", "", "m"]), given, (SEX,), config()).numpy()
    assert found.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]


def test_a_constant_column_is_zeros() -> None:
    given = constants([[5], [5]])
    found = tabular.units(raw(age=[5.0, 7.0]), given, (AGE,), config()).numpy()
    assert found.tolist() == [[0], [0]]


def test_skew_is_taken_off_by_a_signed_logarithm() -> None:
    value = [-np.e + 1, 0.0, np.e - 1]
    given = constants([[-1], [0], [1]])
    found = tabular.units(raw(age=value), given, (AGE,), config(log="age")).numpy()
    np.testing.assert_allclose(found[:, 0], np.array([-1, 0, 1]) * np.sqrt(1.5), rtol=1e-5, atol=1e-6)
    assert tabular.unit_names((AGE,), config(log="age")) == ("log age",)


def test_buckets_by_hand() -> None:
    given = Constants({"age_buckets": np.array([10, 20], "float32")})
    settings = config(buckets="age", bucket_count=3)
    found = tabular.units(raw(age=[9.0, 10.0, 25.0, NAN]), given, (AGE,), settings).numpy()
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert tabular.unit_names((AGE,), settings) == ("age, bucket 1", "age, bucket 2", "age, bucket 3")


def test_the_vocabulary_is_no_larger_than_the_setting_or_the_data() -> None:
    assert len(tabular.unit_names((SEX,), config(vocabulary=1))) == 2
    assert len(tabular.unit_names((SEX,), config(vocabulary=9))) == 3
    assert len(tabular.unit_names((Feature("id", "text"),), config(vocabulary=9))) == 10


def test_quarters_are_named_by_their_ends() -> None:
    given = Constants({"age_quarters": np.array([2.5, 4, 6], "float32")})
    found = tabular.slices(raw(age=[1.0, 2.5, 5.0, 6.0, NAN]), given, (AGE, SEX), config(slices="age,sex"))
    assert set(found) == {"quarter_of_age"}
    names = [name.decode() for name in found["quarter_of_age"].numpy()]
    assert names == ["below 2.5", "2.5 to 4", "4 to 6", "6 and above", "missing"]
    assert tabular.slice_names((AGE, SEX), config(slices="age,sex")) == ("quarter_of_age", "sex")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"log": "hight"}, "log='hight': the columns are age, sex"),
        ({"buckets": "sex"}, "buckets='sex': expected a column of numbers, sex holds texts"),
        ({"slices": "age,x"}, "slices='x': the columns are age, sex"),
        ({"log": "age", "buckets": "age"}, "log='age': the column is cut into buckets"),
    ],
)
def test_settings_that_name_no_fitting_column(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        tabular.check((AGE, SEX), config(**settings))


def test_roles() -> None:
    label = Feature("label", "label", classes=("a", "b"))
    assert tabular.missing_roles({"age": AGE, "label": label}, "label") == []
    assert tabular.missing_roles({"age": AGE, "label": label}, "number") == ["label (number)"]
    assert tabular.missing_roles({"label": label}, "label") == ["columns of numbers or texts"]
    image = Feature("image", "image", (2, 2, 1))
    assert tabular.missing_roles({"image": image, "label": label}, "label") == ["columns of numbers or texts"]
