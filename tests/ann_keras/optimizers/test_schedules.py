"""The course of the step size, by hand."""

from __future__ import annotations

import keras
import pytest

from ann_keras import training
from ann_keras.optimizers.schedules import WarmUp
from ann_keras.settings import Training


def rate(settings: Training, step: int, steps_per_epoch: int = 10) -> float:
    found = training.optimizer(settings, steps_per_epoch)._learning_rate
    return float(found(step))


def test_vaswani_equation_3() -> None:
    width, warmup = 512, 4000
    ours = WarmUp(width**-0.5 * warmup**-0.5, warmup)
    for step in (1, 100, 4000, 16_000, 100_000):
        theirs = width**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert float(ours(step - 1)) == pytest.approx(theirs, rel=1e-5)


def test_settings_by_name() -> None:
    falling = Training(learning_rate=0.4, decay="inverse_sqrt", warmup=4)
    assert [rate(falling, step) for step in (0, 3, 15)] == pytest.approx([0.1, 0.4, 0.2])
    staying = Training(learning_rate=0.4, warmup=4)
    assert [rate(staying, step) for step in (0, 3, 15)] == pytest.approx([0.1, 0.4, 0.4])
    cosine = Training(learning_rate=0.4, decay="cosine", warmup=10, epochs=3)
    assert [rate(cosine, step) for step in (5, 10, 20, 30)] == pytest.approx([0.2, 0.4, 0.2, 0], abs=1e-6)


def test_its_configuration_makes_it_again() -> None:
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(WarmUp(0.4, 4, 0.0)))
    assert again.get_config() == {"peak": 0.4, "steps": 4, "power": 0.0}
    assert float(again(100)) == pytest.approx(0.4)


def test_rprop_wants_no_warmup() -> None:
    with pytest.raises(ValueError, match="warmup=5"):
        training.optimizer(Training(optimizer="rprop", warmup=5), 1)


def test_clipping_and_memory_reach_adam() -> None:
    made = training.optimizer(Training(beta_2=0.98, clip_norm=2.0), 1)
    assert made.beta_2 == 0.98 and made.global_clipnorm == 2.0
