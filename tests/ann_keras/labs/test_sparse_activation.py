"""The share of outputs that are on."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, sparse_activation


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("sparse_activation", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, result.checks
    on = {name: result.numbers[f"share of outputs on after training, {name}"] for name in ("ReLU", "ReLU, L1", "tanh")}
    assert on["ReLU, L1"] < on["ReLU"] - 0.2 < on["tanh"] - 0.5


def test_active_share_by_hand() -> None:
    first = np.array([[0.0, 0.5], [-0.5, 0.005]])
    second = np.array([[0.0], [2.0]])
    assert sparse_activation.active_share([first, second]) == 3 / 6
    assert sparse_activation.active_share([np.zeros((3, 2))]) == 0
