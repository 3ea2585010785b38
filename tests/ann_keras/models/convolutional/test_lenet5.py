"""LeNet-5 against the paper (LeCun et al. 1998, section II.B, table I and appendix A)."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ann_keras.models.convolutional import lenet5
from ann_keras.models.convolutional.lenet5 import C3_SOURCES, SparselyConnectedConv2D, Subsampling, place, squash
from tests.ann_keras.models.building import build


def is_run(maps: tuple[int, ...]) -> bool:
    """Whether the maps are contiguous, the last followed by the first."""
    return any(set(maps) == {(start + step) % 6 for step in range(len(maps))} for start in range(6))


def test_connections_of_c3_are_those_of_table_1() -> None:
    """ "The first six C3 feature maps take inputs from every contiguous subsets of three feature maps ..."."""
    assert len(C3_SOURCES) == len(set(C3_SOURCES)) == 16
    assert [len(maps) for maps in C3_SOURCES] == 6 * [3] + 9 * [4] + [6]
    assert all(is_run(maps) for maps in C3_SOURCES[:12])
    assert not any(is_run(maps) for maps in C3_SOURCES[12:15])
    assert C3_SOURCES[15] == tuple(range(6))
    assert all(maps == tuple(sorted(set(maps))) for maps in C3_SOURCES)
    # Table I read by its rows: the maps of C3 that each map of S2 feeds.
    rows = [[target for target, maps in enumerate(C3_SOURCES) if source in maps] for source in range(6)]
    assert rows == [
        [0, 4, 5, 6, 9, 10, 11, 12, 14, 15],
        [0, 1, 5, 6, 7, 10, 11, 12, 13, 15],
        [0, 1, 2, 6, 7, 8, 11, 13, 14, 15],
        [1, 2, 3, 6, 7, 8, 9, 12, 14, 15],
        [2, 3, 4, 7, 8, 9, 10, 12, 13, 15],
        [3, 4, 5, 8, 9, 10, 11, 13, 14, 15],
    ]


def test_trainable_parameters_of_each_layer_are_the_papers() -> None:
    model = build(lenet5, (32, 32, 1), 10)
    counts = {name: model.get_layer(name).count_params() for name in ("c1", "s2", "s4", "c5", "f6")}
    assert counts == {"c1": 156, "s2": 12, "s4": 32, "c5": 48120, "f6": 10164}
    c3 = model.get_layer("c3")
    assert 25 * int(c3._mask.sum()) + 16 == 1516
    assert model.count_params() - c3.count_params() + 1516 == 60000 + 850  # the paper's 60,000 and our dense output


def test_maps_of_each_layer_have_the_papers_sizes() -> None:
    model = build(lenet5, (28, 28, 1), 10)
    shapes = {name: model.get_layer(name).output.shape[1:] for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output")}
    assert shapes == {
        "c1": (28, 28, 6),
        "s2": (14, 14, 6),
        "c3": (10, 10, 16),
        "s4": (5, 5, 16),
        "c5": (1, 1, 120),
        "f6": (84,),
        "output": (10,),
    }


def test_squashing_function() -> None:
    """Appendix A: f(1) = 1, f(-1) = -1; the amplitude is 1.7159 and the slope at 0 is 1.7159 * 2/3."""
    np.testing.assert_allclose(squash(np.array([1.0, -1.0, 0.0])), [1, -1, 0], atol=1e-4)
    assert float(squash(np.array(50.0))) == pytest.approx(1.7159)
    assert float(squash(np.array(1e-4))) / 1e-4 == pytest.approx(1.7159 * 2 / 3, rel=1e-4)


@given(st.floats(-100, 100))
def test_squashing_is_odd_and_bounded(x: float) -> None:
    found = float(squash(np.array(x)))
    assert abs(found) <= 1.7159
    assert found == pytest.approx(-float(squash(np.array(-x))))


def test_subsampling_by_hand() -> None:
    """The sum of each 2x2 field, times the map's coefficient, plus its bias; an odd row and column are left out."""
    layer = Subsampling()
    image = np.arange(30, dtype="float32").reshape(1, 5, 3, 2)
    layer.build(image.shape)
    assert [weight.numpy().tolist() for weight in layer.weights] == [[0.25, 0.25], [0, 0]]
    layer.set_weights([np.array([2, -1], "float32"), np.array([10, 0.5], "float32")])
    # map 0 holds 0 2 4 / 6 8 10 / 12 14 16 / 18 20 22 / ..., map 1 each plus 1
    expected = [[[2 * (0 + 2 + 6 + 8) + 10, -(1 + 3 + 7 + 9) + 0.5]], [[2 * (12 + 14 + 18 + 20) + 10, -68 + 0.5]]]
    np.testing.assert_allclose(layer(image)[0], expected)


def test_sparse_convolution_by_hand() -> None:
    layer = SparselyConnectedConv2D(((0,), (0, 2), (1,)), 1, use_bias=False)
    image = np.array([[[[1, 10, 100]]]], "float32")
    layer.build(image.shape)
    layer.set_weights([np.arange(1, 10, dtype="float32").reshape(1, 1, 3, 3)])
    # kernel rows are inputs: (1 2 3), (4 5 6), (7 8 9)
    np.testing.assert_allclose(layer(image)[0, 0, 0], [1 * 1, 2 * 1 + 8 * 100, 6 * 10])


def test_sparse_convolution_is_the_dense_one_without_the_missing_connections() -> None:
    rng = np.random.default_rng(0)
    layer, dense = SparselyConnectedConv2D(C3_SOURCES, 5), keras.layers.Conv2D(16, 5)
    image = rng.normal(size=(2, 14, 14, 6)).astype("float32")
    kernel, bias = rng.normal(size=(5, 5, 6, 16)).astype("float32"), rng.normal(size=16).astype("float32")
    for one in (layer, dense):
        one.build(image.shape)
    layer.set_weights([kernel, bias])
    connected = np.array([[source in maps for maps in C3_SOURCES] for source in range(6)])
    dense.set_weights([kernel * connected, bias])
    np.testing.assert_allclose(layer(image), dense(image), rtol=1e-4, atol=1e-4)


def test_missing_connections_never_learn() -> None:
    keras.utils.set_random_seed(0)
    model = build(lenet5, (8, 8, 1), 3, units=4)
    c3 = model.get_layer("c3")
    before = np.asarray(c3.kernel)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    image = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype("float32")
    model.fit({"image": image}, np.arange(6) % 3, verbose=0)
    changed = np.asarray(c3.kernel) != before
    connected = np.array([[source in maps for maps in C3_SOURCES] for source in range(6)])
    assert not changed[:, :, ~connected].any()
    assert changed[:, :, connected].mean() > 0.9


def test_a_layer_comes_back_from_its_config() -> None:
    again = SparselyConnectedConv2D.from_config(SparselyConnectedConv2D(C3_SOURCES, 5, name="c3").get_config())
    assert (again.sources, again.filters, again.kernel_size, again.name) == (C3_SOURCES, 16, (5, 5), "c3")


@pytest.mark.parametrize("size", [28, 29, 30, 31, 32])
def test_characters_are_centred_in_the_field(size: int) -> None:
    image = np.random.default_rng(0).random((1, size, size, 1), "float32")
    found = np.asarray(place(image))
    assert found.shape == (1, 32, 32, 1)
    margin = (32 - size) // 2
    np.testing.assert_array_equal(found[:, margin : margin + size, margin : margin + size], image)


def test_edges_are_mirrored() -> None:
    image = np.random.default_rng(0).random((1, 28, 28, 2), "float32")
    found = np.asarray(place(image))
    np.testing.assert_array_equal(found[:, 1, 2:30], image[:, 0])
    np.testing.assert_array_equal(found[:, 0, 2:30], image[:, 1])
    np.testing.assert_array_equal(found[:, 2:30, 31], image[:, :, 26])


@pytest.mark.parametrize("shape", [(8, 8, 1), (4, 4, 3), (33, 47, 3), (28, 40, 1), (200, 10, 3)])
def test_other_sizes_are_resized(shape: tuple[int, int, int]) -> None:
    found = np.asarray(place(np.full((2, *shape), 0.3, "float32")))
    assert found.shape == (2, 32, 32, shape[2])
    np.testing.assert_allclose(found, 0.3, rtol=1e-5)
