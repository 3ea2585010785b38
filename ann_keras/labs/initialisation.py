"""Starts deep networks of tanhs and of ReLUs from six initialisations: their activations by layer, and their training.

Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, section 4.2, for
Var(w) = 1/n_in (the course's Xavier) and 2/(n_in + n_out); He, Zhang, Ren and Sun 2015, Delving deep into rectifiers,
section 2.2, for 2/n_in. Small and large weights have one deviation for all layers. All networks are branches of one
model and share no weight, so that one fit trains them side by side, each as it would be alone.

Run it with `ann lab initialisation`.
"""

from __future__ import annotations

from typing import Any

import keras
import matplotlib.figure
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from ann_keras.initializers import Xavier
from ann_keras.labs import lab

CLAIM = (
    "A deep network learns where the variance of its first weights is fitted to the width of its layers: zero, small "
    "and large weights fail, Xavier and Glorot keep the signal of tanhs, and He keeps that of ReLUs."
)
EQUATION = (
    r"\mathrm{Var}(h_j) = n_{in}\, \mathrm{Var}(w)\, \mathrm{Var}(x), \quad \mathrm{Var}(w) = "
    r"\dfrac{1}{n_{in}},\ \dfrac{2}{n_{in} + n_{out}},\ \dfrac{2}{n_{in}}"
)

SMALL, LARGE = 0.01, 1.0
SCHEMES: dict[str, Any] = {
    "zero": keras.initializers.Zeros,
    "small": lambda: keras.initializers.RandomNormal(stddev=SMALL),
    "large": lambda: keras.initializers.RandomNormal(stddev=LARGE),
    "Xavier": Xavier,
    "Glorot": keras.initializers.GlorotNormal,
    "He": keras.initializers.HeNormal,
}
ACTIVATIONS = ("tanh", "relu")
NAMES = {"tanh": "tanhs", "relu": "ReLUs"}
DEPTH, UNITS = 10, 100
DRAWS, ROWS = 5, 256
EPOCHS, BATCH, RATE = 10, 64, 0.05
CHANCE = float(np.log(10))
"""Loss in nats of equal odds for ten classes."""

Signals = dict[tuple[str, str], np.ndarray]
"""(activation, scheme) -> mean square of the activations, float [draws, DEPTH]."""
Losses = dict[tuple[str, str], float]
"""(activation, scheme) -> training loss in nats of the last epoch; not finite where it overflowed."""


def branch(pixels: Any, activation: str, scheme: str) -> list[Any]:
    """The hidden layers and, last, the logits of a network.

    Args:
        pixels: float32 [batch, 64].
        activation: of the hidden layers; scheme: a key of SCHEMES, for all layers.
    """
    layers = [pixels]
    for _ in range(DEPTH):
        layers.append(keras.layers.Dense(UNITS, activation, kernel_initializer=SCHEMES[scheme]())(layers[-1]))
    scores = keras.layers.Dense(10, kernel_initializer=SCHEMES[scheme](), name=f"{activation}_{scheme}")
    return [*layers[1:], scores(layers[-1])]


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    images = StandardScaler().fit_transform(images).astype("float32")
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order]
    pixels = keras.Input((64,))
    networks = {(how, scheme): branch(pixels, how, scheme) for how in ACTIVATIONS for scheme in SCHEMES}
    hidden = keras.Model(pixels, [layers[:-1] for layers in networks.values()])
    draws = []
    for _ in range(DRAWS):
        for layer in hidden.layers[1:]:
            # A config has no seed, so that its initializer draws anew.
            initializer = keras.initializers.deserialize(layer.get_config()["kernel_initializer"])
            layer.kernel.assign(initializer(layer.kernel.shape))
        draws.append([[float(np.mean(np.square(h))) for h in network] for network in hidden(images[:ROWS])])
    signals = {key: np.array([draw[place] for draw in draws]) for place, key in enumerate(networks)}
    scores = keras.Model(pixels, [layers[-1] for layers in networks.values()])
    return _result(signals, _train(scores, list(networks), images, labels))


def _train(model: keras.Model, keys: list[tuple[str, str]], images: np.ndarray, labels: np.ndarray) -> Losses:
    """Trains all branches at once; a branch's gradient is that of its own loss."""
    entropy = keras.losses.SparseCategoricalCrossentropy
    names = [f"{how}_{scheme}" for how, scheme in keys]
    model.compile(keras.optimizers.SGD(RATE), [entropy(from_logits=True) for _ in names], jit_compile=False)
    history = model.fit(images, [labels] * len(names), batch_size=BATCH, epochs=EPOCHS, verbose=0).history
    return {key: float(history[f"{name}_loss"][-1]) for key, name in zip(keys, names, strict=True)}


def kept(signal: np.ndarray) -> float:
    """What is left of the mean square from the first to the last layer, geometric mean of the draws.

    Args:
        signal: mean squares > 0, float [draws, layers].
    """
    return float(np.exp(np.mean(np.log(signal[:, -1] / signal[:, 0]))))


def _result(signals: Signals, final: Losses) -> lab.Result:
    share = {key: kept(signal) for key, signal in signals.items() if key[1] != "zero"}
    blown = final["relu", "large"]
    he = signals["relu", "He"][:, -1] / signals["relu", "He"][:, 0]
    return lab.Result(
        checks={
            "from zero and from small weights both networks stay within 0.01 nats of guessing": all(
                abs(final[how, scheme] - CHANCE) <= 0.01 for how in ACTIVATIONS for scheme in ("zero", "small")
            ),
            f"small weights leave less than 1e-10 of the signal after {DEPTH} layers": bool(
                max(share["tanh", "small"], share["relu", "small"]) < 1e-10
            ),
            "large weights saturate tanhs (mean square above 0.8) and blow ReLUs up (1e10 times)": bool(
                signals["tanh", "large"][:, -1].min() > 0.8 and share["relu", "large"] > 1e10
            ),
            "from large weights neither network gets 0.05 nats below guessing": not any(
                final[how, "large"] <= CHANCE - 0.05 for how in ACTIVATIONS
            ),
            "through tanhs Xavier and Glorot keep a twentieth of the signal and get to a tenth of guessing's loss": all(
                share["tanh", scheme] >= 0.05 and final["tanh", scheme] <= CHANCE / 10
                for scheme in ("Xavier", "Glorot")
            ),
            "through ReLUs He keeps the signal within 4 times in every draw and gets to a tenth of it": bool(
                he.min() >= 0.25 and he.max() <= 4 and final["relu", "He"] <= CHANCE / 10
            ),
            "through ReLUs Xavier leaves less than a fiftieth of the signal, and learns more slowly than He": bool(
                share["relu", "Xavier"] < 1 / 50 and final["relu", "Xavier"] > 3 * final["relu", "He"]
            ),
        },
        numbers={
            "loss of guessing, nats": CHANCE,
            **{
                f"training loss, {how}, {scheme}, nats": loss
                for (how, scheme), loss in final.items()
                if np.isfinite(loss)
            },
            "losses that overflowed": sum(not np.isfinite(loss) for loss in final.values()),
            **{f"mean square kept, {how}, {scheme}": value for (how, scheme), value in share.items()},
        },
        setting={
            "data": "scikit-learn's digits, standardised",
            "network": f"{DEPTH} hidden layers of {UNITS} units",
            "deviations": f"small {SMALL:g}, large {LARGE:g}; Xavier {UNITS**-0.5:.2f}, He {(2 / UNITS) ** 0.5:.3f}",
            "training": f"SGD, rate {RATE}, batches of {BATCH}, {EPOCHS} epochs; loss of the last one",
            "activations": f"over {ROWS} digits and {DRAWS} draws of the weights; the last draw is trained",
        },
        seen=(
            f"Through {DEPTH} layers of ReLUs {share['relu', 'He']:.2f} of the mean square is kept from He's weights, "
            f"{share['relu', 'Xavier']:.4f} from Xavier's; through tanhs {share['tanh', 'Xavier']:.2f} from Xavier's. "
            f"After {EPOCHS} epochs the ReLUs' training loss is {final['relu', 'He']:.3f} nats from He's weights, "
            f"{final['relu', 'Glorot']:.2f} from Glorot's and {final['relu', 'Xavier']:.2f} from Xavier's; zero and "
            f"small weights stay at {final['relu', 'zero']:.2f}, which is guessing. Large ones leave the tanhs at "
            f"{final['tanh', 'large']:.1f} nats, and the ReLUs "
            + (f"at {blown:.2f}." if np.isfinite(blown) else "with a loss that overflowed.")
        ),
        figure=_drawn(signals, final),
    )


def _drawn(signals: Signals, final: Losses) -> matplotlib.figure.Figure:
    figure = lab.figure(11, 4)
    *depths, ends = figure.subplots(1, 3)
    layers = np.arange(1, DEPTH + 1)
    for axes, how in zip(depths, ACTIVATIONS, strict=True):
        for number, scheme in enumerate(SCHEMES):
            if scheme == "zero":
                continue
            style = ("", ":v", "--^", "-o", "-.s", "-D")[number]
            signal = np.exp(np.mean(np.log(signals[how, scheme]), axis=0))
            axes.semilogy(layers, signal, style, color=f"C{number}", markersize=4, label=scheme)
        axes.set(xlabel="hidden layer", xticks=layers, title=f"{NAMES[how]} before training")
    depths[0].set(ylabel="mean square of the activations (zero weights: 0)")
    depths[0].legend(loc="lower left", fontsize=8)
    places = np.arange(len(SCHEMES))
    for how, marker, color, shift in (("tanh", "o", "C7", 0.12), ("relu", "s", "k", -0.12)):
        values = np.array([final[how, scheme] for scheme in SCHEMES])
        ends.semilogx(values, places + shift, marker, color=color, label=NAMES[how])
        for place in places[~np.isfinite(values)]:
            ends.annotate("overflowed", (CHANCE, place + shift), (4, 0), textcoords="offset points", fontsize=8)
    ends.axvline(CHANCE, color="0.6", linewidth=1)
    ends.annotate("guessing", (CHANCE, 5.3), (-3, 0), textcoords="offset points", color="0.4", fontsize=8, ha="right")
    ends.set(yticks=places, yticklabels=list(SCHEMES), ylim=(5.6, -0.6))
    ends.set(xlabel=f"training loss after {EPOCHS} epochs, nats", title="after training")
    ends.legend(loc="upper left", fontsize=8)
    return figure
