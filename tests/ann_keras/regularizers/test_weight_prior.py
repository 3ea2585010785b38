"""The Gaussian prior by hand, and against closed forms."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.regularizers.weight_prior import gaussian_prior, l2_factor


@pytest.mark.parametrize(
    ("gamma", "examples", "loss", "outputs", "expected"),
    [
        (8.0, 4, "squares", 1, 2.0),
        (8.0, 4, "squares", 2, 1.0),
        (8.0, 4, "negative_log_likelihood", 1, 1.0),
        (0.0, 7, "squares", 1, 0.0),
        (np.float64(8.0), np.int64(4), "squares", 1, 2.0),
    ],
)
def test_factor_by_hand(gamma: float, examples: int, loss: str, outputs: int, expected: float) -> None:
    assert l2_factor(gamma, examples, loss, outputs) == expected
    penalty = gaussian_prior(gamma, examples, loss, outputs)(keras.ops.convert_to_tensor([[1.0, -2.0]]))
    assert float(penalty) == pytest.approx(5 * expected)


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_loss_is_the_course_s_sum_divided_by_examples_and_outputs(outputs: int) -> None:
    generator = np.random.default_rng(0)
    x, t = generator.normal(size=(6, 2)), generator.normal(size=(6, outputs))
    model = linear_model(2, outputs, gaussian_prior(2.5, 6, outputs=outputs))
    w = np.asarray(model.layers[-1].kernel)
    expected = (((t - x @ w) ** 2).sum() + 2.5 * (w**2).sum()) / (6 * outputs)
    model.compile(loss="mse")
    assert model.evaluate(x, t, verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 20.0])
def test_training_ends_at_the_closed_form(gamma: float) -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(50, 3))
    t = x @ np.array([[1.0], [-2.0], [0.5]]) + generator.normal(size=(50, 1))
    model = linear_model(3, 1, gaussian_prior(gamma, 50))
    descend(model, x, t, "mse")
    ridge = np.linalg.solve(x.T @ x + gamma * np.eye(3), x.T @ t)
    np.testing.assert_allclose(np.asarray(model.layers[-1].kernel), ridge, rtol=1e-5)


def test_a_standardised_target_keeps_a_linear_model_s_gamma() -> None:
    generator = np.random.default_rng(2)
    x, t, scale = generator.normal(size=(30, 2)), generator.normal(size=(30, 1)), 5.0
    model = linear_model(2, 1, gaussian_prior(3.0, 30))
    descend(model, x, t / scale, "mse")
    ridge = np.linalg.solve(x.T @ x + 3.0 * np.eye(2), x.T @ t)
    np.testing.assert_allclose(scale * np.asarray(model.layers[-1].kernel), ridge, rtol=1e-5)


def test_cross_entropy_ends_where_the_gradient_of_the_log_posterior_is_zero() -> None:
    generator = np.random.default_rng(3)
    x, variance = generator.normal(size=(40, 2)), 0.25
    t = (x[:, :1] + generator.normal(size=(40, 1)) > 0).astype("float64")
    model = linear_model(2, 1, gaussian_prior(1 / variance, 40, "negative_log_likelihood"))
    descend(model, x, t, keras.losses.BinaryCrossentropy(from_logits=True))
    w = np.asarray(model.layers[-1].kernel, "float64")
    # d/dw [sum_n ln Bernoulli(t_n | sigmoid(w x_n)) - |w|^2 / (2 sigma_w^2)]
    gradient = x.T @ (t - 1 / (1 + np.exp(-x @ w))) - w / variance
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 5), "gamma=-1.0: expected a finite number of at least 0"),
        ((float("nan"), 5), "gamma=nan: expected a finite number"),
        ((float("inf"), 5), "gamma=inf: expected a finite number"),
        ((1.0, 0), "examples=0: expected at least 1"),
        ((1.0, 5, "absolute"), "loss='absolute': expected one of squares, negative_log_likelihood"),
        ((1.0, 5, "squares", 0), "outputs=0: expected at least 1"),
        ((1.0, 5, "negative_log_likelihood", 2), "outputs=2: negative_log_likelihood is a sum over the outputs"),
    ],
)
def test_bad_values_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gaussian_prior(*arguments)


def linear_model(features: int, outputs: int, prior: keras.regularizers.Regularizer) -> keras.Model:
    inputs = keras.Input((features,))
    dense = keras.layers.Dense(outputs, use_bias=False, kernel_regularizer=prior)
    return keras.Model(inputs, dense(inputs))


def descend(model: keras.Model, x: np.ndarray, t: np.ndarray, loss: object, steps: int = 150) -> None:
    """Gradient descent on the whole training set, to the end; one epoch of equal batches, as an epoch has its price."""
    model.compile(keras.optimizers.SGD(0.3, momentum=0.5), loss, jit_compile=False)
    every = [np.tile(values, (steps, 1)) for values in (x, t)]
    model.fit(*every, batch_size=len(x), shuffle=False, verbose=0)
