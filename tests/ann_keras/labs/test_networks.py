"""Networks side by side answer and learn as if each were alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.labs import networks


def test_answers_by_hand() -> None:
    """Width 2, copy 1 of 2: v1 tanh(w1 x + b1) + v2 tanh(w2 x + b2) + v0, of its own input alone."""
    keras.utils.set_random_seed(0)
    model = networks.build([1, 2], 2, 3.0)
    assert model.output_shape == (None, 2, 2)
    # Layers of one depth come together: hidden ones of width 1, of width 2, then the outputs.
    slopes, biases, _, _, weights, constant = model.get_weights()[2:]
    assert np.abs(slopes - biases).min() > 0.01  # drawn apart
    x = np.array([[0.3, -0.7]], "float32")
    hidden = np.tanh(slopes[1] * x[0, 1] + biases[1])
    np.testing.assert_allclose(np.asarray(model(x))[0, 1, 1], hidden @ weights[1] + constant[1], rtol=1e-5)
    other = np.asarray(model(np.array([[9.0, -0.7]], "float32")))
    np.testing.assert_allclose(other[:, :, 1], np.asarray(model(x))[:, :, 1])


@pytest.mark.slow
def test_each_learns_its_own_targets() -> None:
    x = np.tile(np.linspace(-1, 1, 30)[:, None], (1, 2))
    t = np.column_stack([x[:, 0], -(x[:, 1] ** 2)])
    keras.utils.set_random_seed(0)
    model = networks.build([8], 2, 2.0)
    networks.train(model, x, t, 1500, 0.03)
    np.testing.assert_allclose(np.asarray(model(x))[:, 0], t, atol=0.1)
