"""The derivatives by hand, and the dead and the rescued."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import dying_relus, lab
from ann_keras.labs.dying_relus import ELU, LEAKY, RELU


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("dying_relus", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, result.checks
    numbers = result.numbers
    assert numbers["share of dead units at rate 1.0, ReLU"] < numbers["share of dead units at rate 5.0, ReLU"] - 0.2
    accuracy = {name: numbers[f"test accuracy after going on as {name}"] for name in (RELU, LEAKY, ELU)}
    assert min(accuracy[LEAKY], accuracy[ELU]) > 0.6


@pytest.mark.parametrize(
    ("name", "below"), [(RELU, [0.0, 0.0]), (LEAKY, [0.01, 0.01]), (ELU, [np.exp(-2.0), 1.0])], ids=str
)
def test_derivatives_by_hand(name: str, below: list[float]) -> None:
    answers = dying_relus.derivative(name, np.array([-2.0, 0.0, 3.0, 1000.0]))
    np.testing.assert_allclose(answers, [*below, 1.0, 1.0])


def test_dead_share_by_hand() -> None:
    # Of the first layer's units the second is off for both rows; of the second layer's the only one is on for one.
    first, second = np.array([[1.0, -9.0], [-1.0, -8.0]]), np.array([[-1.0], [2.0]])
    assert dying_relus.dead_share(RELU, [first]) == 0.5
    assert dying_relus.dead_share(RELU, [first, second]) == pytest.approx(1 / 3)
    assert dying_relus.dead_share(LEAKY, [first]) == 0
    # e^-9 and e^-8 are below 0.001, e^-1 is not.
    assert dying_relus.dead_share(ELU, [first]) == 0.5


@pytest.mark.parametrize("name", [RELU, LEAKY, ELU])
def test_networks_have_the_activation_whose_derivative_is_counted(name: str) -> None:
    network = dying_relus.Network(name)
    activation = network.model.layers[2]
    points, step = np.array([[-3.0, -0.5, 0.5, 3.0]], "float32"), 1e-2
    rise = (activation(points + step).numpy() - activation(points - step).numpy()) / (2 * step)
    np.testing.assert_allclose(rise, dying_relus.derivative(name, points), atol=1e-3)
