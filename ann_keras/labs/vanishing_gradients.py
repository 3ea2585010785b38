"""Measures the gradient that reaches the first layer of ever deeper networks of sigmoids, tanhs and ReLUs.

Backpropagation multiplies a layer's error by the derivative of its activation and by its weights. The sigmoid's
derivative is at most 1/4 and tanh's at most 1, so that the product shrinks with depth (Hochreiter 1998, The vanishing
gradient problem during learning recurrent neural nets and problem solutions; Glorot and Bengio 2010, Understanding the
difficulty of training deep feedforward neural networks). A ReLU's is 1 or 0 (Glorot, Bordes and Bengio 2011, Deep
sparse rectifier neural networks); since half of its units pass nothing on, its weights need twice the variance
(He et al. 2015, Delving deep into rectifiers, eq. 10). The fourth network shows what becomes of it without them.

Run it with `ann lab vanishing_gradients`.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from ann_keras.labs import lab

CLAIM = (
    "With depth the gradient vanishes exponentially through sigmoids and slowly through tanhs; "
    "through ReLUs with He's weights it does not."
)
EQUATION = (
    r"\dfrac{\partial E}{\partial a^{(l)}} = g'(a^{(l)}) \odot W^{(l+1)\top} "
    r"\dfrac{\partial E}{\partial a^{(l+1)}}, \quad g'_{\sigma} \leq \dfrac{1}{4}, \quad "
    r"g'_{\mathrm{tanh}} \leq 1, \quad g'_{\mathrm{ReLU}} \in \{0, 1\}"
)

NETWORKS = {
    "sigmoid": ("sigmoid", 1.0),
    "tanh": ("tanh", 1.0),
    "ReLU, He": ("relu", 2.0),
    "ReLU, Xavier": ("relu", 1.0),
}
"""name -> activation, and the variance of its weights times their inputs: 1 is Xavier's, 2 He's."""
DEPTHS = (2, 4, 8, 16, 32)
TRAINED_DEPTH = 16
UNITS = 128
REPETITIONS = 10
ROWS = 256
EPOCHS, BATCH, RATE = 15, 64, 0.02


def build(activation: str, gain: float, depth: int) -> keras.Model:
    """A network of `depth` hidden layers from 64 pixels to the logits of 10 classes.

    Args:
        activation: of the hidden layers.
        gain: variance of the weights times the number of inputs of a unit.
        depth: hidden layers, at least 1.
    """
    pixels = keras.Input((64,))
    x = pixels
    for number in range(1, depth + 1):
        weights = keras.initializers.VarianceScaling(gain, "fan_in", "untruncated_normal")
        x = keras.layers.Dense(UNITS, activation, kernel_initializer=weights, name=f"hidden{number}")(x)
    return keras.Model(pixels, keras.layers.Dense(10, name="scores")(x))


def first_gradient(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """The Euclidean norm of the cross-entropy's gradient by the weights of the first layer.

    Args:
        model: with a layer "hidden1", answers with logits.
        images: float32 [rows, 64]; labels: int [rows].
    """
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        error = loss(labels, model(images))
    gradient = tape.gradient(error, model.get_layer("hidden1").kernel.value)
    # The squares of the smallest leave the range of 32 bits.
    return float(np.linalg.norm(gradient.numpy().astype(np.float64)))


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    images = StandardScaler().fit_transform(images).astype("float32")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    images, labels = images[order], labels[order]
    few = images[:ROWS], labels[:ROWS]
    norms = {}
    for name, (activation, gain) in NETWORKS.items():
        norms[name] = np.array([_typical_gradient(activation, gain, depth, *few, rng) for depth in DEPTHS])
    losses = {name: _train(*network, images, labels) for name, network in NETWORKS.items()}
    kept = {name: norm[-1] / norm[0] for name, norm in norms.items()}
    factor = kept["sigmoid"] ** (1 / (DEPTHS[-1] - DEPTHS[0]))
    final = {name: values[-1] for name, values in losses.items()}
    chance = np.log(10)
    return lab.Result(
        checks={
            "each further layer of sigmoids leaves at most 0.3 of the gradient": bool(factor <= 0.3),
            "32 layers of tanhs leave at most half of the gradient that 2 leave": bool(kept["tanh"] <= 0.5),
            "32 layers of ReLUs with He's weights leave at least a third of the gradient that 2 leave": bool(
                kept["ReLU, He"] >= 1 / 3
            ),
            "16 layers of sigmoids stay within 0.05 of the loss of guessing": bool(final["sigmoid"] > chance - 0.05),
            "16 layers of ReLUs with He's weights get below a quarter of it": bool(final["ReLU, He"] < chance / 4),
        },
        numbers={
            "share of the gradient that a further layer of sigmoids leaves": factor,
            **{f"gradient at depth 32 over that at depth 2, {name}": value for name, value in kept.items()},
            "training loss of guessing, nats": chance,
            **{f"training loss at depth {TRAINED_DEPTH}, {name}, nats": value for name, value in final.items()},
        },
        setting={
            "data": f"scikit-learn's digits, standardised; gradients over {ROWS} of them",
            "hidden layers": DEPTHS,
            "units of each": UNITS,
            "draws of the weights": REPETITIONS,
            "training": f"SGD, rate {RATE}, batches of {BATCH}, {EPOCHS} epochs",
        },
        seen=(
            f"A further layer of sigmoids left {factor:.2f} of the gradient; at depth 32 the first layer got "
            f"{kept['sigmoid']:.0e} of what it got at depth 2, with tanhs {kept['tanh']:.2f}, with ReLUs "
            f"{kept['ReLU, He']:.2f}. The sigmoids learned nothing in {EPOCHS} epochs (loss {final['sigmoid']:.2f}), "
            f"the ReLUs did ({final['ReLU, He']:.3f}). It takes He's weights: with Xavier's the ReLUs kept only "
            f"{kept['ReLU, Xavier']:.0e}."
        ),
        figure=_figure(norms, losses),
    )


def _typical_gradient(
    activation: str, gain: float, depth: int, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> float:
    """The geometric mean of `first_gradient` over draws of the weights."""
    model = build(activation, gain, depth)
    logs = []
    for _ in range(REPETITIONS):
        for layer in model.layers[1:]:
            inputs, units = layer.kernel.shape
            layer.kernel.assign(rng.normal(0, np.sqrt(gain / inputs), (inputs, units)))
        logs.append(np.log(first_gradient(model, images, labels)))
    return float(np.exp(np.mean(logs)))


def _train(activation: str, gain: float, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean training loss in nats of each epoch, float64 [EPOCHS]."""
    model = build(activation, gain, TRAINED_DEPTH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE), loss, jit_compile=False)
    return np.array(model.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0).history["loss"])


def _figure(norms: dict[str, np.ndarray], losses: dict[str, np.ndarray]) -> lab.matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    for number, (name, values) in enumerate(norms.items()):
        style = ("-", "--", "-", ":")[number]
        marker = "os^v"[number]
        left.loglog(DEPTHS, values, style, marker=marker, color=f"C{number}", label=name)
        right.plot(range(1, EPOCHS + 1), losses[name], style, marker=marker, markevery=5, color=f"C{number}")
    left.set_xscale("log", base=2)
    left.set_xticks(DEPTHS, list(map(str, DEPTHS)))
    left.set(xlabel="hidden layers", ylabel="norm of the first layer's gradient")
    left.set_title("before training", fontsize=10)
    left.legend(loc="lower left")
    right.axhline(np.log(10), color="0.6", linewidth=1)
    right.annotate("guessing", (EPOCHS, np.log(10)), (0, 4), textcoords="offset points", color="0.4", ha="right")
    right.set(xlabel="epoch", ylabel="training loss, nats", ylim=(0, 2.6))
    right.set_title(f"training {TRAINED_DEPTH} hidden layers", fontsize=10)
    return figure
