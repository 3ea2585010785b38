"""Trains networks with and without batch normalisation at growing learning rates and from weights of growing size.

Ioffe and Szegedy 2015, Batch normalization: accelerating deep network training by reducing internal covariate shift,
section 3: each unit's pre-activation is normalised over the mini-batch before the nonlinearity, then scaled and shifted
by learned numbers; the bias before it is left out (section 3.2), and the test uses running averages. All networks are
branches of one model and share no weight; the losses are weighted with the learning rates, so that one fit of plain
gradient descent trains each as it would be alone.

Run it with `ann lab batch_normalisation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import matplotlib.figure
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ann_keras.labs import lab

CLAIM = (
    "Batch normalisation before the nonlinearity lets a deep network learn at higher learning rates and from initial "
    "weights of sizes from which it learns nothing without."
)
EQUATION = (
    r"\hat{a}_j = \dfrac{a_j - \mu_{B,j}}{\sqrt{\sigma^2_{B,j} + \epsilon}}, \quad "
    r"h_j = g(\gamma_j \hat{a}_j + \beta_j)"
)

DEPTH, UNITS = 5, 40
EPOCHS, BATCH = 15, 64
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
SCALES = (0.03, 0.1, 1.0, 3.0, 10.0)
"""Deviation of the first weights over that of He et al. 2015."""
RATE, SCALE = 0.1, 1.0
"""What is not varied."""
LEARNED = 0.8
"""Test accuracy from which a network has learned."""


@dataclass(frozen=True)
class Setup:
    """How one of the networks is made and trained."""

    normalised: bool
    rate: float = RATE
    scale: float = SCALE


SETUPS = tuple(
    Setup(normalised, rate, scale)
    for normalised in (False, True)
    for rate, scale in [*((rate, SCALE) for rate in RATES), *((RATE, scale) for scale in SCALES if scale != SCALE)]
)


def scores(pixels: Any, setup: Setup, name: str) -> Any:
    """The logits, float32 [batch, 10], of one network.

    Args:
        pixels: float32 [batch, 64].
        setup: of the network; its rate plays no part here.
        name: of the layer of the logits.
    """
    x = pixels
    for _ in range(DEPTH):
        weights = keras.initializers.VarianceScaling(2 * setup.scale**2, "fan_in", "untruncated_normal")
        x = keras.layers.Dense(UNITS, use_bias=not setup.normalised, kernel_initializer=weights)(x)
        if setup.normalised:
            x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    return keras.layers.Dense(10, name=name)(x)


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    images, test_images, labels, test_labels = train_test_split(
        images, labels, test_size=0.25, stratify=labels, random_state=seed
    )
    scaler = StandardScaler().fit(images)
    images, test_images = (scaler.transform(part).astype("float32") for part in (images, test_images))
    pixels = keras.Input((64,))
    names = [f"scores{number}" for number in range(len(SETUPS))]
    model = keras.Model(pixels, [scores(pixels, *pair) for pair in zip(SETUPS, names, strict=True)])
    losses = [keras.losses.SparseCategoricalCrossentropy(from_logits=True) for _ in SETUPS]
    model.compile(keras.optimizers.SGD(1.0), losses, loss_weights=[setup.rate for setup in SETUPS], jit_compile=False)
    history = model.fit(images, [labels for _ in SETUPS], batch_size=BATCH, epochs=EPOCHS, verbose=0).history
    answers = model.predict(test_images, batch_size=len(test_images), verbose=0)
    accuracy = {
        setup: float(np.mean(np.all(np.isfinite(logits), axis=1) & (np.argmax(logits, axis=1) == test_labels)))
        for setup, logits in zip(SETUPS, answers, strict=True)
    }
    final = {setup: float(history[f"{name}_loss"][-1]) for setup, name in zip(SETUPS, names, strict=True)}
    return _result(accuracy, final)


def learning(accuracy: dict[Setup, float], normalised: bool, varied: str) -> list[float]:
    """The values of "rate" or "scale", the other one as it is by default, from which the network learned."""
    fixed = ("scale", SCALE) if varied == "rate" else ("rate", RATE)
    return sorted(
        getattr(setup, varied)
        for setup, value in accuracy.items()
        if setup.normalised == normalised and getattr(setup, fixed[0]) == fixed[1] and value >= LEARNED
    )


def _result(accuracy: dict[Setup, float], final: dict[Setup, float]) -> lab.Result:
    rates = {normalised: learning(accuracy, normalised, "rate") for normalised in (False, True)}
    scales = {normalised: learning(accuracy, normalised, "scale") for normalised in (False, True)}
    highest = {normalised: max(found, default=0.0) for normalised, found in rates.items()}
    small = [scale for scale in SCALES if scale <= SCALE]
    best = {
        normalised: max(value for setup, value in accuracy.items() if setup.normalised == normalised)
        for normalised in (False, True)
    }
    return lab.Result(
        checks={
            "with batch normalisation the highest learning rate that learns is at least 3 times as high": (
                highest[True] >= 3 * highest[False] > 0
            ),
            f"with it the network learns from all weights of {small[0]:g} to {SCALE:g} times He's": (
                set(small) <= set(scales[True])
            ),
            "without it from no other weights than those of He's own size": scales[False] == [SCALE],
            "its best test accuracy is not more than 0.02 below the best without": best[True] >= best[False] - 0.02,
        },
        numbers={
            **{f"test accuracy {described(setup)}": value for setup, value in accuracy.items()},
            **{
                f"training loss {described(setup)}, nats": value for setup, value in final.items() if np.isfinite(value)
            },
        },
        setting={
            "data": "scikit-learn's digits, standardised; a quarter, stratified, is the test set",
            "network": f"{DEPTH} hidden layers of {UNITS} ReLUs",
            "training": f"gradient descent, batches of {BATCH}, {EPOCHS} epochs; rate {RATE} where the weights vary",
            "learned": f"test accuracy of at least {LEARNED}",
        },
        seen=(
            f"With batch normalisation learning rates up to {highest[True]:g} led to a test accuracy of {LEARNED} or "
            f"more, without it up to {highest[False]:g}. From weights of "
            f"{', '.join(f'{scale:g}' for scale in SCALES)} times He's the test accuracy was {_listed(accuracy, True)} "
            f"with it and {_listed(accuracy, False)} without it (0 where the answers overflowed)."
        ),
        figure=_drawn(accuracy),
    )


def described(setup: Setup) -> str:
    """A setup in words."""
    how = "with" if setup.normalised else "without"
    return f"{how} batch normalisation, rate {setup.rate:g}, weights {setup.scale:g}"


def _listed(accuracy: dict[Setup, float], normalised: bool) -> str:
    return ", ".join(f"{accuracy[Setup(normalised, RATE, scale)]:.2f}" for scale in SCALES)


def _drawn(accuracy: dict[Setup, float]) -> matplotlib.figure.Figure:
    figure = lab.figure(10, 4)
    rates, scales = figure.subplots(1, 2, sharey=True)
    for normalised, style, label in ((True, "C0o-", "with"), (False, "C1s--", "without")):
        label = f"{label} batch normalisation"
        rates.semilogx(RATES, [accuracy[Setup(normalised, rate)] for rate in RATES], style, label=label)
        values = [accuracy[Setup(normalised, RATE, scale)] for scale in SCALES]
        scales.semilogx(SCALES, values, style, label=label)
    for axes, ticks in ((rates, RATES), (scales, SCALES)):
        axes.axhline(0.1, color="0.6", linewidth=0.8)
        axes.annotate("guessing", (ticks[0], 0.1), (0, 3), textcoords="offset points", color="0.4", fontsize=8)
        axes.set(xticks=ticks, xticklabels=[f"{tick:g}" for tick in ticks], ylim=(-0.03, 1.03))
        axes.minorticks_off()
    rates.set(xlabel="learning rate (He's weights)", ylabel=f"test accuracy after {EPOCHS} epochs; 0: overflow")
    scales.set(xlabel=f"deviation of the first weights over He's (rate {RATE:g})")
    scales.legend(loc="lower right", bbox_to_anchor=(1, 0.2), fontsize=8)
    return figure
