"""Settings: parsing, ranges, and errors in one line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ann_keras import settings
from ann_keras.settings import Range, Training, setting


@dataclass(frozen=True)
class Config:
    units: int = setting(4, "units of a layer", low=1, high=64, search=(4, 8))
    rate: float = setting(0.5, "a rate", low=0, search=Range(0.1, 1.0))
    deep: bool = setting(False, "whether it is deep")
    kind: str = setting("a", "which", choices=("a", "b"))
    size: tuple[int, ...] = setting((), "height,width", low=1)
    limit: float | None = setting(None, "a limit", high=1)


def applied(**overrides: Any) -> Config:
    (config,) = settings.apply([Config()], overrides)
    return config


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("units", "7", 7),
        ("units", 7.0, 7),
        ("rate", "1e-2", 0.01),
        ("rate", 2, 2.0),
        ("deep", "Yes", True),
        ("deep", "0", False),
        ("deep", True, True),
        ("kind", "b", "b"),
        ("size", "28x30", (28, 30)),
        ("size", "28,30", (28, 30)),
        ("size", [28, 30], (28, 30)),
        ("size", "", ()),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "0.5", 0.5),
    ],
)
def test_values_are_parsed_to_the_type_of_their_field(name: str, given: Any, expected: Any) -> None:
    value = getattr(applied(**{name: given}), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("units", "many", "units='many': expected a whole number (units of a layer)"),
        ("units", 1.5, "units=1.5: expected a whole number (units of a layer)"),
        ("units", "1.5", "units='1.5': expected a whole number (units of a layer)"),
        ("units", True, "units=True: expected a whole number (units of a layer)"),
        ("units", None, "units=None: expected a whole number (units of a layer)"),
        ("units", float("inf"), "units=inf: expected a whole number (units of a layer)"),
        ("units", [3], "units=[3]: expected a whole number (units of a layer)"),
        ("units", 0, "units=0: out of range, expected 1 to 64"),
        ("units", "65", "units='65': out of range, expected 1 to 64"),
        ("rate", "nan", "rate='nan': expected a number (a rate)"),
        ("rate", None, "rate=None: expected a number (a rate)"),
        ("rate", -1, "rate=-1: out of range, expected at least 0"),
        ("deep", "perhaps", "deep='perhaps': expected true or false (whether it is deep)"),
        ("kind", "c", "kind='c': expected one of a, b"),
        ("size", "28,tall", "size='28,tall': expected numbers separated by commas (height,width)"),
        ("size", 28, "size=28: expected numbers separated by commas (height,width)"),
        ("size", "28,0", "size='28,0': out of range, expected at least 1"),
        ("limit", "high", "limit='high': expected a number (a limit)"),
        ("limit", 2, "limit=2: out of range, expected at most 1"),
        ("unit", 2, "unknown setting 'unit'; the settings are deep, kind, limit, rate, size, units"),
    ],
)
def test_errors_name_the_value_and_the_legal_ones(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        applied(**{name: value})
    assert str(caught.value) == said


def test_an_override_goes_to_the_config_that_has_its_name() -> None:
    config, training = settings.apply([Config(), Training()], {"epochs": "3", "units": 9})
    assert config == dataclasses.replace(Config(), units=9)
    assert training == dataclasses.replace(Training(), epochs=3)


def test_helps_and_search_space() -> None:
    assert settings.helps(Config())["units"] == "units of a layer"
    assert settings.search_space(Config()) == {"units": (4, 8), "rate": Range(0.1, 1.0)}
    assert "learning_rate" in settings.search_space(Config(), Training())


configs = st.builds(
    Config,
    units=st.integers(1, 64),
    rate=st.floats(0, 1e6),
    deep=st.booleans(),
    kind=st.sampled_from("ab"),
    size=st.lists(st.integers(1, 4096), max_size=3).map(tuple),
    limit=st.none() | st.floats(-1e6, 1),
)


@given(configs)
def test_a_dict_of_settings_gives_them_again(config: Config) -> None:
    assert settings.apply([Config()], settings.as_dict(config)) == [config]


@given(configs)
def test_as_words_of_a_command_line_too(config: Config) -> None:
    words = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in settings.as_dict(config).items()
    }
    assert settings.apply([Config()], words) == [config]


@given(st.sampled_from(["units", "rate", "deep", "size", "limit"]), st.text() | st.floats() | st.none() | st.booleans())
def test_any_value_is_taken_or_refused_in_one_line(name: str, value: Any) -> None:
    try:
        applied(**{name: value})
    except ValueError as error:
        assert str(error).startswith(f"{name}={value!r}: ")
        assert "\n" not in str(error)
