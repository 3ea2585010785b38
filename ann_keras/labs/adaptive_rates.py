"""Trains a deep network whose layers' gradients differ by orders of magnitude, with one rate and with adapted ones.

Riedmiller and Braun 1993, A direct adaptive method for faster backpropagation learning (Rprop); Duchi, Hazan and Singer
2011, Adaptive subgradient methods (Adagrad); Tieleman and Hinton 2012, Neural networks for machine learning, lecture
6.5 (RMSprop); Zeiler 2012, ADADELTA; Kingma and Ba 2015, Adam. The sigmoids of the network shrink the gradient on its
way to the first layer. Every method steps on the full batch, as Rprop needs it, from the same weights. Gradient descent
gets the best of a row of rates; its networks are branches of one model, whose losses are weighted with the rates.

Run it with `ann lab adaptive_rates`.
"""

from __future__ import annotations

from typing import Any

import keras
import matplotlib.figure
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from ann_keras.labs import lab
from ann_keras.optimizers import Rprop

CLAIM = (
    "Where the gradients of the layers differ by orders of magnitude, one learning rate moves the layers as unequally; "
    "Rprop, Adagrad, RMSprop, Adadelta and Adam move them more alike and learn sooner."
)
EQUATION = (
    r"\Delta w_i = -\eta\, g_i, \qquad \Delta w_i = -\Delta_i\, \mathrm{sign}(g_i), \qquad "
    r"\Delta w_i = -\eta\, \dfrac{\hat{m}_i}{\sqrt{\hat{v}_i} + \epsilon}"
)

DEPTH, UNITS, ROWS = 5, 32, 600
STEPS, EARLY = 300, 10
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Learning rates of gradient descent."""
# What a method adds to the mean square of a gradient must be small beside it, which is 1e-9 in the first layer. The
# first steps of Adadelta are of the size of the root of what it adds, hence its rate of 30 in place of the paper's 1.
METHODS: dict[str, Any] = {
    "Rprop": lambda: Rprop(0.01, largest=0.5),
    "Adagrad": lambda: keras.optimizers.Adagrad(0.03, initial_accumulator_value=0.0, epsilon=1e-12),
    "RMSprop": lambda: keras.optimizers.RMSprop(0.01, epsilon=1e-12),
    "Adadelta": lambda: keras.optimizers.Adadelta(30.0, epsilon=1e-9),
    "Adam": lambda: keras.optimizers.Adam(0.01),
}
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def build(branches: int) -> keras.Model:
    """Networks of DEPTH layers of sigmoids that share their input alone; their logits, float32 [batch, 10], in turn."""
    pixels = keras.Input((64,))
    scores = []
    for branch in range(branches):
        x = pixels
        for number in range(1, DEPTH + 1):
            x = keras.layers.Dense(UNITS, "sigmoid", name=layer_name(branch, number))(x)
        scores.append(keras.layers.Dense(10, name=layer_name(branch, DEPTH + 1))(x))
    return keras.Model(pixels, scores if branches > 1 else scores[0])


def layer_name(branch: int, number: int) -> str:
    """The name of layer `number`, from 1, of a branch, from 0."""
    return f"branch{branch}_layer{number}"


def kernels(model: keras.Model, branch: int = 0) -> list[np.ndarray]:
    """The kernels of a branch, from the first layer to the last."""
    return [model.get_layer(layer_name(branch, number)).get_weights()[0] for number in range(1, DEPTH + 2)]


def root_mean_squares(arrays: list[np.ndarray]) -> np.ndarray:
    """The root of the mean square of each array, float64 [arrays]."""
    return np.array([np.sqrt(np.mean(np.square(array, dtype="float64"))) for array in arrays])


def train(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, weights: list[float], data: tuple[np.ndarray, np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Trains all branches of a model on the full batch.

    Args:
        model: of `build`.
        optimizer: of the sum of the branches' losses.
        weights: of the branches' losses in that sum.
        data: images, float32 [rows, 64], and labels, int [rows].

    Returns:
        By branch, how far each layer's kernel moved in the first EARLY steps, root mean square, float [DEPTH + 1]; and
        the loss, mean of each EARLY steps, float [branches, STEPS / EARLY].
    """
    images, labels = np.tile(data[0], (EARLY, 1)), np.tile(data[1], EARLY)
    branches = range(len(weights))
    model.compile(optimizer, [LOSS for _ in branches], loss_weights=weights, jit_compile=False)
    losses: list[list[float]] = [[] for _ in branches]
    before = [kernels(model, branch) for branch in branches]
    moved: list[np.ndarray] = []
    for epochs in (1, STEPS // EARLY - 1):
        arguments = {"batch_size": len(data[0]), "epochs": epochs, "shuffle": False, "verbose": 0}
        history = model.fit(images, [labels for _ in branches], **arguments).history
        for branch in branches:
            name = f"{layer_name(branch, DEPTH + 1)}_loss" if len(weights) > 1 else "loss"
            losses[branch] += history[name]
        if not moved:
            after = [kernels(model, branch) for branch in branches]
            moved = [
                root_mean_squares([new - old for new, old in zip(*pair, strict=True)])
                for pair in zip(after, before, strict=True)
            ]
    return moved, np.array(losses)


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(images))[:ROWS]
    images, labels = StandardScaler().fit_transform(images[chosen]).astype("float32"), labels[chosen]
    model, plain = build(1), build(len(RATES))
    first = model.get_weights()
    for branch in range(len(RATES)):
        for number in range(1, DEPTH + 2):
            weights = model.get_layer(layer_name(0, number)).get_weights()
            plain.get_layer(layer_name(branch, number)).set_weights(weights)
    with tf.GradientTape() as tape:
        loss = LOSS(labels, model(images))
    gradients = tape.gradient(loss, [layer.kernel.value for layer in model.layers[1:]])
    scale = root_mean_squares([gradient.numpy() for gradient in gradients])
    moved, losses = {}, {}
    for name, method in METHODS.items():
        model.set_weights(first)
        (moved[name],), (losses[name],) = train(model, method(), [1.0], (images, labels))
    descents, courses = train(plain, keras.optimizers.SGD(1.0), list(RATES), (images, labels))
    best = int(np.argmin(courses[:, -1]))
    moved["gradient descent"], losses["gradient descent"] = descents[best], courses[best]
    return _result(scale, moved, losses, RATES[best])


def spread(moved: np.ndarray) -> float:
    """The largest of some numbers > 0 over the smallest."""
    return float(np.max(moved) / np.min(moved))


def _result(scale: np.ndarray, moved: dict[str, np.ndarray], losses: dict[str, np.ndarray], rate: float) -> lab.Result:
    unequal = {name: spread(steps) for name, steps in moved.items()}
    final = {name: float(course[-1]) for name, course in losses.items()}
    plain, plain_spread = final["gradient descent"], unequal["gradient descent"]
    widest = max(METHODS, key=lambda name: unequal[name])
    return lab.Result(
        checks={
            "the last layer's gradient is at least 100 times the first's": bool(scale[-1] >= 100 * scale[0]),
            f"in {EARLY} steps gradient descent moves one layer at least 20 times as far as another": plain_spread
            >= 20,
            "every adaptive method at least 3 times less unequally": 3 * unequal[widest] <= plain_spread,
            f"after {STEPS} steps every adaptive method has a lower loss than gradient descent at its best rate": (
                max(final[name] for name in METHODS) < plain
            ),
            "Rprop, Adagrad, RMSprop and Adam have at most half of it": (
                max(final[name] for name in ("Rprop", "Adagrad", "RMSprop", "Adam")) <= plain / 2
            ),
        },
        numbers={
            "gradient of the last layer over the first's": float(scale[-1] / scale[0]),
            "best rate of gradient descent": rate,
            **{f"farthest over least moved layer, {name}": value for name, value in unequal.items()},
            **{f"training loss, {name}, nats": value for name, value in final.items()},
        },
        setting={
            "data": f"{ROWS} of scikit-learn's digits, standardised",
            "network": f"{DEPTH} hidden layers of {UNITS} sigmoids, Glorot's weights",
            "training": f"{STEPS} steps of the full batch; loss of the last {EARLY}",
            "rates of gradient descent": RATES,
            "rates": "Rprop 0.01 (steps of at most 0.5), Adagrad 0.03, RMSprop 0.01, Adadelta 30, Adam 0.01",
        },
        seen=(
            f"The last layer's gradient is {scale[-1] / scale[0]:.0f} times the first's. In {EARLY} steps gradient "
            f"descent moved one layer {plain_spread:.0f} times as far as another, {widest}, the least equal of the "
            f"others, {unequal[widest]:.1f} times. After {STEPS} steps the loss is {plain:.2f} nats with gradient "
            f"descent at its best rate, {rate:g}, and "
            + ", ".join(f"{final[name]:.2g} with {name}" for name in METHODS)
            + "."
        ),
        figure=_drawn(scale, moved, losses, rate),
    )


def _drawn(
    scale: np.ndarray, moved: dict[str, np.ndarray], losses: dict[str, np.ndarray], rate: float
) -> matplotlib.figure.Figure:
    figure = lab.figure(11, 4.2)
    layers, courses = figure.subplots(1, 2)
    numbers, steps = np.arange(1, DEPTH + 2), EARLY * np.arange(1, STEPS // EARLY + 1)
    layers.semilogy(numbers, scale / scale[-1] * moved["gradient descent"].max(), "k:", label="gradient, any unit")
    for place, name in enumerate(("gradient descent", *METHODS)):
        style = ("C7o-", "C0s-", "C1^--", "C2v-.", "C4D:", "C3P-")[place]
        label = f"{name}, rate {rate:g}" if name == "gradient descent" else name
        layers.semilogy(numbers, moved[name], style, markersize=5, label=label)
        # A loss of 0 has no place on the axis.
        courses.semilogy(steps, np.maximum(losses[name], 1e-5), style, markersize=4, markevery=4, label=label)
    layers.set(
        xlabel="layer, from the input", ylabel=f"distance moved in {EARLY} steps, root mean square", xticks=numbers
    )
    layers.legend(loc="lower right", fontsize=8)
    courses.axhline(np.log(10), color="0.6", linewidth=0.8)
    courses.annotate("guessing", (STEPS, np.log(10)), (0, 4), textcoords="offset points", color="0.4", ha="right")
    courses.set(xlabel="step of the full batch", ylabel="training loss, nats", ylim=(1e-4, 6))
    return figure
