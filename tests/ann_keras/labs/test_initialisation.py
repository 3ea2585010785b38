"""The lab on initialisation: its claim, and the shares that theory foretells."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.labs import initialisation, lab


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("initialisation", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_a_relu_layer_multiplies_the_mean_square_as_the_variance_of_its_weights_says(result: lab.Result) -> None:
    # n Var(w) / 2 a layer, over the nine after the first: 1 from He's weights, 1/2 from Xavier's, 1/200 from small ones
    # and 50 from large ones.
    for scheme, factor in {"He": 1.0, "Xavier": 0.5, "small": 0.005, "large": 50.0}.items():
        a_layer = result.numbers[f"mean square kept, relu, {scheme}"] ** (1 / 9)
        assert a_layer == pytest.approx(factor, rel=0.15)


@pytest.mark.slow
def test_he_suits_relus_best_of_all(result: lab.Result) -> None:
    losses = {
        scheme: result.numbers.get(f"training loss, relu, {scheme}, nats", np.inf) for scheme in initialisation.SCHEMES
    }
    assert min(losses, key=lambda scheme: losses[scheme]) == "He"
    assert losses["He"] < 0.05 < 2 < losses["zero"]


def test_kept_by_hand() -> None:
    # 1/4 and 1/16 of the first layer: the geometric mean is 1/8.
    assert initialisation.kept(np.array([[4.0, 2.0, 1.0], [16.0, 1.0, 1.0]])) == pytest.approx(1 / 8)


def test_a_branch_is_a_network_of_its_own() -> None:
    pixels = keras.Input((64,))
    one, other = (initialisation.branch(pixels, "tanh", scheme) for scheme in ("zero", "He"))
    assert len(one) == initialisation.DEPTH + 1
    model = keras.Model(pixels, [one[-1], other[-1]])
    # 64 to 100, nine times 100 to 100, 100 to 10, with biases, twice.
    assert model.count_params() == 2 * (6500 + 9 * 10100 + 1010)
    zeros, scores = model(np.ones((2, 64), "float32"))
    assert not np.any(zeros) and np.all(np.isfinite(scores)) and np.any(scores)
