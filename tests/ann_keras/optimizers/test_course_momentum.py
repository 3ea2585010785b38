"""The course's momentum and Nesterov: steps by hand, and how they stand to Keras's SGD."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ann_keras.optimizers import CourseMomentum, CourseNesterov

CURVATURE = np.array([1.0, 10.0])


def walk(optimizer: keras.optimizers.Optimizer, steps: int, start: tuple[float, ...] = (1.0, 1.0)) -> np.ndarray:
    """The places on 0.5 sum(CURVATURE w^2), the start first; float64."""
    w = keras.Variable(start, dtype="float64")
    places = [np.array(start)]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(CURVATURE * places[-1])], [w])
        places.append(keras.ops.convert_to_numpy(w).copy())
    return np.array(places)


def downhill(optimizer: keras.optimizers.Optimizer, gradients: list[float]) -> list[float]:
    """Where a weight that starts at 0 stands after each of the gradients."""
    w = keras.Variable([0.0])
    places = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [w])
        places.append(float(w.numpy()[0]))
    return places


def test_momentum_by_hand() -> None:
    # eta = 0.1, alpha = 0.05: -0.1 * 1; then -0.1 * 2 - 0.05 * 1; then -0.1 * -4 - 0.05 * 2.
    np.testing.assert_allclose(downhill(CourseMomentum(0.1, 0.5), [1.0, 2.0, -4.0]), [-0.1, -0.35, -0.05], atol=1e-6)


def test_nesterov_by_hand() -> None:
    # eta + alpha = 0.15: -0.15 * 1; then -0.15 * 2 + 0.05 * 1; then 0.15 * 4 + 0.05 * 2.
    np.testing.assert_allclose(downhill(CourseNesterov(0.1, 0.5), [1.0, 2.0, -4.0]), [-0.15, -0.4, 0.3], atol=1e-6)


def test_nesterov_is_the_two_lines_of_the_course() -> None:
    eta, alpha = 0.05, 0.03
    w, last, places = np.array([1.0, 1.0]), np.zeros(2), []
    for _ in range(12):
        ahead = w - alpha * last
        places.append(ahead)
        last = CURVATURE * ahead
        w = w - eta * last
    np.testing.assert_allclose(walk(CourseNesterov(eta, alpha / eta), 11), places, rtol=1e-6)


def test_momentum_is_the_velocity_cut_after_two_gradients() -> None:
    eta, m = 0.05, 0.8
    course, keras_ = walk(CourseMomentum(eta, m), 3), walk(keras.optimizers.SGD(eta, momentum=m), 3)
    np.testing.assert_allclose(course[:3], keras_[:3], rtol=1e-6)
    # The third step lacks eta m^2 g_0.
    np.testing.assert_allclose(course[3] - keras_[3], eta * m**2 * CURVATURE * course[0], rtol=1e-6)


def test_nesterov_takes_back_what_keras_adds() -> None:
    eta, m = 0.05, 0.8
    course, keras_ = walk(CourseNesterov(eta, m), 2), walk(keras.optimizers.SGD(eta, momentum=m, nesterov=True), 2)
    np.testing.assert_allclose(course[1], keras_[1], rtol=1e-6)
    # Of g_0: + alpha in the course's form, - eta m^2 in Keras's.
    np.testing.assert_allclose(course[2] - keras_[2], eta * (m + m**2) * CURVATURE * course[0], rtol=1e-6)


@pytest.mark.parametrize("course", [CourseMomentum, CourseNesterov])
def test_without_momentum_it_is_gradient_descent(course: type[CourseMomentum]) -> None:
    np.testing.assert_allclose(walk(course(0.05, 0), 5), walk(keras.optimizers.SGD(0.05), 5), rtol=1e-6)


def test_speed_where_the_gradient_stays() -> None:
    slope = [1.0] * 80
    speed = {}
    for name, optimizer in {
        "momentum": CourseMomentum(0.1, 0.9),
        "nesterov": CourseNesterov(0.1, 0.9),
        "velocity": keras.optimizers.SGD(0.1, momentum=0.9),
    }.items():
        places = downhill(optimizer, slope)
        speed[name] = places[-2] - places[-1]
    assert speed == pytest.approx({"momentum": 0.19, "nesterov": 0.1, "velocity": 1.0}, rel=1e-3)


def test_each_gradient_keeps_the_rate_of_its_own_step() -> None:
    halving = keras.optimizers.schedules.ExponentialDecay(0.4, 1, 0.5)
    # Rates 0.4, 0.2, 0.1 on gradients of 1: -0.4; -(0.2 + 0.5 * 0.4); -(0.1 + 0.5 * 0.2).
    np.testing.assert_allclose(downhill(CourseMomentum(halving, 0.5), [1.0] * 3), [-0.4, -0.8, -1.0], atol=1e-6)


@pytest.mark.parametrize("course", [CourseMomentum, CourseNesterov])
def test_its_config_brings_it_back(course: type[CourseMomentum]) -> None:
    optimizer = course(0.05, momentum=0.4)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is course
    assert again.get_config() == optimizer.get_config()


@pytest.mark.slow
@pytest.mark.parametrize("course", [CourseMomentum, CourseNesterov])
def test_it_fits_and_is_saved(course: type[CourseMomentum], tmp_path: Any) -> None:
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    y = x @ np.array([[3.0], [-2.0], [1.0]], "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(course(0.05, momentum=0.4), "mse", jit_compile=False)
    assert model.fit(x, y, batch_size=16, epochs=30, verbose=0).history["loss"][-1] < 1e-2
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is course
    assert loaded.optimizer.get_config() == model.optimizer.get_config()


def test_rows_of_an_embedding_that_a_batch_lacks_move_by_their_last_gradient_once() -> None:
    tokens = keras.Input((1,), dtype="int32")
    table = keras.layers.Embedding(3, 1, embeddings_initializer="zeros")
    model = keras.Model(tokens, keras.layers.Flatten()(table(tokens)))
    model.compile(CourseMomentum(0.1, 0.5), "mse", jit_compile=False)
    for token in (0, 2, 2):
        model.train_on_batch(np.array([[token]]), np.array([[1.0]]))
    # The gradient at 0 is -2: row 0 moves 0.2, then 0.1. Row 2 moves 0.2, then 0.1 * 2 * 0.8 + 0.1.
    np.testing.assert_allclose(table.get_weights()[0][:, 0], [0.3, 0.0, 0.46], atol=1e-6)


@pytest.mark.parametrize("momentum", [-0.1, float("nan"), "0.9"])
def test_it_refuses_a_momentum_that_cannot_be(momentum: Any) -> None:
    with pytest.raises(ValueError, match=f"momentum={momentum!r}: expected a number of at least 0"):
        CourseMomentum(0.1, momentum)
