"""Tables through the whole pipeline: a CSV of the user's, missing values, slices, unseen categories at serving."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.client import Client
from serving.process import ModelServer
from tests.pipelines.conftest import Ann

pytestmark = pytest.mark.slow


def table(path: Path, rows: int = 400, **changes: str) -> Path:
    """A price that follows from an area, a town and, where it is known, an age; `changes` are cells by "row:column"."""
    generator = np.random.default_rng(0)
    lines = ["area (m2),town,age,same,price"]
    for row in range(rows):
        area, town, age = generator.uniform(20, 200), generator.integers(0, 3), generator.uniform(0, 80)
        price = 1000 * area * (1 + town) - 2000 * age + generator.normal(0, 5000)
        cells = [
            f"{area:.1f}",
            ("Rome", "Milan", "Turin")[town],
            "" if row % 9 == 0 else f"{age:.0f}",
            "1",
            f"{price:.0f}",
        ]
        for place, value in changes.items():
            if place.startswith(f"{row}:"):
                cells[int(place.split(":")[1])] = value
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def regression(ann: Ann, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`ann run mlp` on the table, sigma learned, slices by both kinds of columns."""
    root = tmp_path_factory.mktemp("root")
    csv = table(root / "homes.csv")
    settings = {"noise": "learned", "slices": "town,area_m2", "epochs": 40, "patience": 40, "units": 32}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    document = ann.run("mlp", "--dataset", f"csv:{csv}", "--label", "price", "--root", root, *given)
    return {**document, "root": root}


def test_figures_are_in_the_targets_own_unit(regression: dict[str, Any]) -> None:
    assert regression["task"] == "regression" and regression["blessed"]
    metrics = regression["metrics"]
    for split in ("train", "eval", "test"):
        assert 3_000 < metrics[split]["mae"] < metrics[split]["rmse"] < 100_000
        assert 0.5 < metrics[split]["r2"] < 1 and 0.5 < metrics[split]["coverage"] <= 1
    assert set(metrics["test"]) == {"rmse", "mae", "r2", "coverage", "interval_width"}


def test_a_person_is_shown_the_columns(regression: dict[str, Any]) -> None:
    told = regression["told"]
    assert "area_m2  number, such as" in told and "(column 'area (m2)')" in told
    assert "town     text, 3 values" in told and "% missing" in told
    assert "'same'" in told, "a constant column is left out, and said"
    schema = regression["root"] / "schemas" / "homes.pbtxt"
    assert 'name: "town"' in schema.read_text() and str(schema) in told


def test_slices_by_values_and_by_quarters(regression: dict[str, Any]) -> None:
    page = Path(regression["report"]).read_text().replace("\N{NO-BREAK SPACE}", " ")
    for name in ("town = Rome", "town = Milan", "town = Turin", "quarter_of_area_m2 = below "):
        assert name in page


def test_an_unseen_town_and_a_missing_age_are_answered(regression: dict[str, Any]) -> None:
    base = str(regression["root"] / "serving" / "mlp")
    rows = {"area_m2": [100.0] * 3, "town": ["Milan", "Naples", "Milan"], "age": [40.0, 40.0, math.nan]}
    with ModelServer({"mlp": base}, embedded=True) as server, Client(server.rest_url, "mlp") as client:
        found = client.predict(rows)
        example = client.regress([{"area_m2": 100.0, "town": b"Milan", "age": 40.0}], signature_name="regress")
    value, low, high = (np.asarray(found[name]) for name in ("value", "low", "high"))
    assert np.isfinite(value).all() and (low < value).all() and (value < high).all()
    assert value[0] != value[1] and value[0] != value[2]
    assert float(np.ravel(example)[0]) == pytest.approx(float(value[0]), rel=1e-4)


def test_classes_with_an_official_test_file(ann: Ann, data_dir: Path, tmp_path: Path) -> None:
    lines = (data_dir / "tabular" / "penguins.csv").read_text().splitlines()
    folder = tmp_path / "penguins"
    folder.mkdir()
    (folder / "train.csv").write_text("\n".join([lines[0], *lines[2::4], *lines[3::4], *lines[4::4]]) + "\n")
    (folder / "test.csv").write_text("\n".join([lines[0], *lines[1::4]]) + "\n")
    given = ("--dataset", f"csv:{folder}", "--label", "species", "--set", "class_weights=balanced")
    document = ann.run("linear", *given, "--root", tmp_path / "root")
    assert document["task"] == "classification" and document["blessed"]
    assert set(document["metrics"]["test"]) == {"accuracy", "cross_entropy", "balanced_accuracy"}
    assert document["metrics"]["test"]["accuracy"] > 0.95
    counted = json.loads(next((tmp_path / "root").glob("pipelines/linear/*/examples/*/counts.json")).read_text())
    assert sum(counted["counts"]["test"].values()) == len(lines[1::4])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"7:0": "large"}, ("line 9", "'area (m2)'", "'large'")),
        ({"7:2": "inf"}, ("line 9", "'age'", "inf")),
        ({"7:4": ""}, ("line 9", "'price'")),
    ],
)
def test_bad_cells_end_the_run_in_one_line_or_are_left_out(
    ann: Ann, tmp_path: Path, changes: dict[str, str], said: tuple[str, ...]
) -> None:
    csv = table(tmp_path / "homes.csv", **changes)
    given = ("linear", "--dataset", f"csv:{csv}", "--label", "price", "--root", tmp_path / "root")
    answer = ann("run", *given)
    assert answer.code == 1, answer.err
    last = answer.err.strip().splitlines()[-1]
    assert all(part in last for part in said), last
    document = ann.run(*given, "--max-bad-fraction", "0.01")
    assert document["blessed"]
