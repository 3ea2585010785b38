"""Labels by lot: how they are drawn, and what a network makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, random_labels


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("random_labels", seed=0)


def test_the_share_that_is_drawn() -> None:
    labels = np.full(10_000, 3)
    np.testing.assert_array_equal(random_labels.draw(np.random.default_rng(0), labels, 0.0), labels)
    for share in (0.5, 1.0):
        drawn = random_labels.draw(np.random.default_rng(0), labels, share)
        # A tenth of the lots falls on the label that was there.
        assert (drawn != labels).mean() == pytest.approx(0.9 * share, abs=0.015)
        assert set(drawn) == set(range(10))
    assert set(labels) == {3}


def test_copies_share_nothing_but_the_images() -> None:
    model = random_labels.networks(4, 3)
    images = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    before = np.asarray(model(images))
    assert before.shape == (5, 3, random_labels.CLASSES)
    kernel, bias, weights, constant = model.get_weights()
    kernel[:, : random_labels.UNITS] = 0
    model.set_weights([kernel, bias, weights, constant])
    after = np.asarray(model(images))
    np.testing.assert_allclose(after[:, 0], np.broadcast_to(constant[0], (5, random_labels.CLASSES)))
    np.testing.assert_array_equal(after[:, 1:], before[:, 1:])


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_training_error_says_nothing_of_test_error(result: lab.Result) -> None:
    assert result.numbers["training error, 100% by lot"] == 0
    assert result.numbers["test error, 100% by lot"] == pytest.approx(0.9, abs=0.02)
    assert result.numbers["test error, 0% by lot"] < 0.07
    assert result.numbers["test error, 50% by lot"] > 0.45  # half of the labels cannot be known
    true, by_lot = (result.numbers[f"steps to 1 % training error, {name}"] for name in ("true labels", "labels by lot"))
    assert by_lot > 1.5 * true
