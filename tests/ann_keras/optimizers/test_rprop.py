"""Rprop: PyTorch's trajectory, steps by hand, and what it refuses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ann_keras.optimizers import Rprop

# torch 2.14.1, float64, on 0.5 (w - c)' A (w - c) from w = (-3, 4, 1), the iterates rounded to nine digits:
#     optimizer = torch.optim.Rprop([w], lr=0.1, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0))
#     for _ in range(24): optimizer.zero_grad(); (0.5 * (w - c) @ A @ (w - c)).backward(); optimizer.step()
A = np.array([[20.0, 3.0, 0.0], [3.0, 1.0, 0.0], [0.0, 0.0, 0.01]])
C = np.array([1.0, -2.0, 30.0])
START = (-3.0, 4.0, 1.0)
TORCH = [
    [-2.9, 4.1, 1.1],
    [-2.78, 4.22, 1.22],
    [-2.636, 4.364, 1.364],
    [-2.4632, 4.5368, 1.5368],
    [-2.25584, 4.74416, 1.74416],
    [-2.007008, 4.992992, 1.992992],
    [-1.7084096, 5.2915904, 2.2915904],
    [-1.35009152, 5.64990848, 2.64990848],
    [-0.920109824, 5.64990848, 3.079890176],
    [-0.404131789, 5.47074944, 3.595868211],
    [0.215041853, 5.255758592, 4.215041853],
    [0.215041853, 4.997769574, 4.958050224],
    [-0.094544968, 4.688182753, 5.849660269],
    [-0.094544968, 4.316678568, 6.919592323],
    [0.060248443, 3.870873546, 8.203510787],
    [0.246000536, 3.335907519, 9.744212945],
    [0.246000536, 2.693948286, 11.593055534],
    [0.338876582, 1.923597208, 13.81166664],
    [0.450327837, 0.999175913, 16.473999969],
    [0.584069344, -0.11012964, 19.668799962],
    [0.744559152, -1.441296304, 23.502559955],
    [0.937146922, -1.441296304, 28.103071946],
    [0.937146922, -2.106879636, 33.623686335],
    [1.033440807, -2.106879636, 33.623686335],
]
# The same with lr=0.5, etas=(0.4, 1.5), step_sizes=(0.2, 1.1): both bounds are met.
TORCH_BOUNDED = [
    [-2.5, 4.5, 1.5],
    [-1.75, 5.25, 2.25],
    [-0.65, 6.35, 3.35],
    [0.45, 6.35, 4.45],
    [0.45, 5.91, 5.55],
    [0.01, 5.25, 6.65],
    [-0.65, 4.26, 7.75],
    [-0.65, 3.16, 8.85],
    [-0.386, 2.06, 9.95],
    [0.01, 2.06, 11.05],
    [0.604, 1.62, 12.15],
    [0.604, 0.96, 13.25],
    [0.3664, -0.03, 14.35],
    [0.3664, -1.13, 15.45],
    [0.5664, -1.13, 16.55],
    [0.8664, -0.69, 17.65],
    [0.8664, -0.69, 18.75],
    [0.6664, -0.89, 19.85],
    [0.6664, -1.19, 20.95],
    [0.8664, -1.19, 22.05],
    [1.1664, -1.39, 23.15],
    [1.1664, -1.69, 24.25],
    [0.9664, -2.14, 25.35],
    [0.9664, -2.14, 26.45],
]


def trajectory(optimizer: Rprop, steps: int, dtype: str) -> np.ndarray:
    w = keras.Variable(START, dtype=dtype)
    iterates = []
    for _ in range(steps):
        gradient = A @ (keras.ops.convert_to_numpy(w) - C)
        optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype)], [w])
        iterates.append(keras.ops.convert_to_numpy(w).copy())
    return np.array(iterates)


def steps_of(gradients: list[float], **arguments: Any) -> list[float]:
    """Where a single weight that starts at 0 stands after each of the gradients."""
    optimizer, w = Rprop(**arguments), keras.Variable([0.0])
    places = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [w])
        places.append(float(w.numpy()[0]))
    return places


def test_it_walks_as_pytorch_does() -> None:
    np.testing.assert_allclose(trajectory(Rprop(0.1), len(TORCH), "float64"), TORCH, rtol=0, atol=1e-5)
    np.testing.assert_allclose(trajectory(Rprop(0.1), len(TORCH), "float32"), TORCH, rtol=1e-5, atol=1e-5)


def test_it_walks_as_pytorch_does_at_both_bounds() -> None:
    optimizer = Rprop(0.5, increase=1.5, decrease=0.4, smallest=0.2, largest=1.1)
    np.testing.assert_allclose(trajectory(optimizer, len(TORCH_BOUNDED), "float64"), TORCH_BOUNDED, rtol=0, atol=1e-5)


def test_steps_by_hand() -> None:
    # Steps 0.1, 0.12, 0.144; the sign changes: 0.072 and a rest; then 0.072 the other way, and 0.0864.
    places = steps_of([3.0, 0.5, 1e-30, -7.0, -1e-30, -2.0], learning_rate=0.1)
    np.testing.assert_allclose(places, [-0.1, -0.22, -0.364, -0.364, -0.292, -0.2056], atol=1e-6)


def test_a_gradient_of_zero_moves_nothing_and_leaves_the_step_size() -> None:
    np.testing.assert_allclose(steps_of([1.0, 0.0, 1.0, 1.0], learning_rate=0.1), [-0.1, -0.1, -0.2, -0.32], atol=1e-6)


def test_only_the_signs_count() -> None:
    signs = [1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0]
    sizes = [1e-20, 3.0, 1e6, 0.2, 5.0, 1e-3, 9.0]
    assert steps_of(signs) == steps_of([sign * size for sign, size in zip(signs, sizes, strict=True)])


def test_its_config_brings_it_back() -> None:
    optimizer = Rprop(0.3, increase=1.3, decrease=0.4, smallest=1e-3, largest=2.0, clipnorm=1.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, Rprop)
    assert again.get_config() == optimizer.get_config()


@pytest.mark.slow
def test_it_fits_a_network_from_full_batches_and_is_saved_with_it(tmp_path: Any) -> None:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x @ np.array([[3.0], [-2.0], [0.01], [1.0]], "float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(Rprop(0.01, increase=1.3), "mse", jit_compile=False)
    history = model.fit(x, y, batch_size=64, epochs=60, verbose=0).history["loss"]
    assert history[-1] < 1e-3 < 1 < history[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for mine, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(mine), keras.ops.convert_to_numpy(theirs))


def test_rows_of_an_embedding_that_a_batch_lacks_rest() -> None:
    tokens = keras.Input((1,), dtype="int32")
    table = keras.layers.Embedding(3, 1, embeddings_initializer="zeros")
    model = keras.Model(tokens, keras.layers.Flatten()(table(tokens)))
    model.compile(Rprop(0.1), "mse", jit_compile=False)
    for token in (0, 0, 2):
        model.train_on_batch(np.array([[token]]), np.array([[9.0]]))
    np.testing.assert_allclose(table.get_weights()[0][:, 0], [0.22, 0.0, 0.1], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate=0.0: expected a number above 0"),
        (
            {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 10)},
            "a number above 0 and no schedule",
        ),
        ({"increase": 1.0}, "increase=1.0: expected more than 1"),
        ({"decrease": 1.0}, "decrease=1.0: expected a number between 0 and 1"),
        ({"smallest": 1.0, "largest": 0.1}, "smallest=1.0, largest=0.1: expected 0 < smallest <= largest"),
    ],
)
def test_it_refuses_what_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rprop(**arguments)
