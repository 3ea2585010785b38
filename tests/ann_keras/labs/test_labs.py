"""A battery over every registered lab, without running any, and what a `Result` is."""

from __future__ import annotations

import inspect
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

from ann_keras import registry
from ann_keras.labs import lab

HERE = Path(__file__).parent
YEAR = re.compile(r"\b(1[89]|20)\d\d\b")
RESULT = {"numbers": {"a": 1.0}, "setting": {"rows": 3}, "seen": "It was seen."}


@pytest.mark.parametrize("name", registry.LABS)
def test_docstring_names_the_experiment_its_source_and_its_command(name: str) -> None:
    docstring = inspect.getdoc(lab.load(name)) or ""
    first, *others = re.split(r"\n\s*\n", docstring)
    assert first.endswith(".")
    assert ". " not in first, "the first paragraph is one sentence"
    assert YEAR.search(docstring), "no source with its year"
    assert others[-1] == f"Run it with `ann lab {name}`."


@pytest.mark.parametrize("name", registry.LABS)
def test_claim_and_equation(name: str) -> None:
    module = lab.load(name)
    assert re.fullmatch(r"[A-Z].*\.", module.CLAIM)
    assert "$" not in module.EQUATION
    width, *_ = MathTextParser("path").parse(f"${module.EQUATION}$")
    assert width > 0


@pytest.mark.parametrize("name", registry.LABS)
def test_runs_with_a_seed_and_has_a_test(name: str) -> None:
    parameters = inspect.signature(lab.load(name).run).parameters
    assert list(parameters) == ["seed"]
    assert parameters["seed"].default == 0
    assert (HERE / f"test_{name}.py").is_file()


def test_every_module_is_registered() -> None:
    modules = Path(lab.__file__).parent.glob("*.py")
    assert {path.stem for path in modules if "\nCLAIM = " in path.read_text()} == set(registry.LABS)


def test_a_claim_holds_where_all_checks_do() -> None:
    figure = lab.figure()
    assert lab.Result({"one": True, "other": True}, figure=figure, **RESULT).held
    assert not lab.Result({"one": True, "other": False}, figure=figure, **RESULT).held


def test_a_result_needs_a_check() -> None:
    with pytest.raises(ValueError, match="without a check"):
        lab.Result({}, figure=lab.figure(), **RESULT)


def test_figure_is_as_large_as_asked_for() -> None:
    assert lab.figure(6.0, 3.0).get_size_inches().tolist() == [6.0, 3.0]


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(ValueError, match="unknown lab 'nope'; the labs are gaussian_mean, "):
        lab.run("nope")


def _register(monkeypatch: pytest.MonkeyPatch, number: object) -> None:
    module = types.ModuleType("drawing_lab")
    module.run = lambda seed: lab.Result(  # type: ignore[attr-defined]
        {"one": True}, {"drawn": number or np.random.rand()}, {}, "It was drawn.", lab.figure()
    )
    monkeypatch.setitem(sys.modules, "drawing_lab", module)
    monkeypatch.setitem(registry.LABS, "drawing", "drawing_lab")


def test_the_same_seed_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _register(monkeypatch, None)
    first, again, other = (lab.run("drawing", seed).numbers["drawn"] for seed in (1, 1, 2))
    assert first == again != other


def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _register(monkeypatch, "many")
    with pytest.raises(TypeError, match="lab drawing: 'drawn' is no number"):
        lab.run("drawing")
