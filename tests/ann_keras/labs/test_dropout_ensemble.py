"""Dropout as an ensemble, and the mean that weight scaling is."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import dropout_ensemble, lab


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("dropout_ensemble", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    errors = [result.numbers[f"test error, masks: {size}"] for size in dropout_ensemble.SIZES]
    # two masks already help; a network that answers at random would err on 0.9
    assert errors[0] - errors[1] > 0.005
    assert errors[-1] < 0.1
    assert result.numbers["test error by weight scaling"] < errors[0]
    assert result.numbers["test loss in nats by weight scaling"] < result.numbers["test loss in nats, masks: 1"]


def test_geometric_mean_by_hand() -> None:
    # sqrt(0.2 x 0.8) = 0.4 and sqrt(0.8 x 0.2) = 0.4; then 0.5^0.25 0.9^0.75 against 0.5^0.25 0.1^0.75
    members = np.log([[[0.2, 0.8], [0.5, 0.5]], [[0.8, 0.2], [0.9, 0.1]]])
    np.testing.assert_allclose(dropout_ensemble.geometric_mean(members, np.array([0.5, 0.5]))[0], [0.5, 0.5])
    found = dropout_ensemble.geometric_mean(members, np.array([0.25, 0.75]))[1]
    np.testing.assert_allclose(found[0] / found[1], 9**0.75)
    assert found.sum() == pytest.approx(1)


def test_the_network_has_dropout_on_every_hidden_layer() -> None:
    names = [type(layer).__name__ for layer in dropout_ensemble.network((5, 3)).layers]
    assert names == ["InputLayer", "Dense", "MonteCarloDropout", "Dense", "MonteCarloDropout", "Dense"]
