"""Trains ReLUs at ever higher rates, counts those that die, and goes on with leaky ReLUs or ELUs in their place.

A large step can push a unit to the negative side of every input. A ReLU's derivative is 0 there, so that no gradient
brings it back. A leaky ReLU's is 0.01 (Maas, Hannun and Ng 2013, Rectifier nonlinearities improve neural network
acoustic models), an ELU's alpha exp(a) (Clevert, Unterthiner and Hochreiter 2016, Fast and accurate deep network
learning by exponential linear units). A unit counts as dead where its derivative is below 0.001 on every
training image: a leaky ReLU never is, by definition, so that what matters of it is whether the network learns again;
an ELU far below zero may be. Gradients are clipped in length: at rates that kill ReLUs losses overflow without.

Run it with `ann lab dying_relus`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ann_keras.labs import lab

CLAIM = "High rates kill ReLUs for good; with a leaky ReLU or an ELU in their place the same weights learn again."
EQUATION = (
    r"g'_{\mathrm{ReLU}}(a) = 1_{a > 0}, \quad g'_{\mathrm{leaky}}(a) = 1_{a > 0} + 0.01 \cdot 1_{a \leq 0}, \quad "
    r"g'_{\mathrm{ELU}}(a) = 1_{a > 0} + \alpha e^{a} \cdot 1_{a \leq 0}"
)

SLOPE, ALPHA = 0.01, 1.0
RELU, LEAKY, ELU = "ReLU", "leaky ReLU", "ELU"
UNITS, DEPTH = 100, 3
RATES, HIGH_EPOCHS = (0.1, 1.0, 5.0), 3
LOW_RATE, LOW_EPOCHS = 0.1, 12
BATCH, CLIP = 64, 1.0
REPETITIONS = 3
DEAD = 1e-3
"""Of the derivative: a unit that stays below it on every image is dead."""
TEST_FRACTION = 0.3

Data = tuple[np.ndarray, np.ndarray]
"""Images, float32 [rows, 64], and labels, int [rows]."""


def derivative(name: str, preactivation: np.ndarray) -> np.ndarray:
    """The derivative of an activation.

    Args:
        name: "ReLU", "leaky ReLU" or "ELU".
        preactivation: float, any shape.

    Returns:
        float64 of the same shape, in [0, 1].
    """
    below = {RELU: 0.0, LEAKY: SLOPE, ELU: ALPHA * np.exp(np.minimum(preactivation, 0.0, dtype=np.float64))}[name]
    return np.where(preactivation > 0, 1.0, below)


def dead_share(name: str, preactivations: Sequence[np.ndarray]) -> float:
    """The share of units whose derivative is below `DEAD` on every row.

    Args:
        name: of the activation.
        preactivations: of each layer, float [rows, units].
    """
    dead = [(derivative(name, values) < DEAD).all(axis=0) for values in preactivations]
    return float(np.concatenate(dead).mean())


class Network:
    """A network of one activation that is fitted again and again from given weights."""

    def __init__(self, name: str) -> None:
        layer = {
            RELU: keras.layers.ReLU,
            LEAKY: lambda: keras.layers.LeakyReLU(negative_slope=SLOPE),
            ELU: lambda: keras.layers.ELU(alpha=ALPHA),
        }[name]
        pixels = keras.Input((64,))
        x, preactivations = pixels, []
        for _ in range(DEPTH):
            preactivations.append(keras.layers.Dense(UNITS, kernel_initializer="he_normal")(x))
            x = layer()(preactivations[-1])
        self.name = name
        self.model = keras.Model(pixels, keras.layers.Dense(10)(x))
        self.hidden = keras.Model(pixels, preactivations)
        self.model.compile(
            keras.optimizers.SGD(clipnorm=CLIP),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )

    def fit(self, weights: list[np.ndarray], rate: float, epochs: int, data: Data) -> tuple[list[np.ndarray], float]:
        """Fits from `weights`; returns the weights afterwards and the share of dead units."""
        self.model.set_weights(weights)
        self.model.optimizer.learning_rate = rate
        self.model.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0)
        return self.model.get_weights(), self.dead(data[0])

    def dead(self, images: np.ndarray) -> float:
        """The share of dead units, as the weights are now."""
        return dead_share(self.name, [keras.ops.convert_to_numpy(values) for values in self.hidden(images)])

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """The share of right answers."""
        logits = keras.ops.convert_to_numpy(self.model(images))
        return float((logits.argmax(axis=1) == labels).mean())


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    train, test, *both = train_test_split(images, labels, test_size=TEST_FRACTION, stratify=labels, random_state=seed)
    scaler = StandardScaler().fit(train)
    train_data = scaler.transform(train).astype("float32"), both[0]
    test_data = scaler.transform(test).astype("float32"), both[1]
    networks = {name: Network(name) for name in (RELU, LEAKY, ELU)}
    measured = [_repeat(networks, train_data, test_data) for _ in range(REPETITIONS)]
    dead = {name: np.mean([one[0][name] for one in measured], axis=0) for name in networks}
    after = {name: float(np.mean([one[1][name] for one in measured])) for name in networks}
    accuracy = {name: float(np.mean([one[2][name] for one in measured])) for name in networks}
    high = {name: float(shares[-1]) for name, shares in dead.items()}
    return lab.Result(
        checks={
            f"at rate {RATES[0]} at most 2 % of the ReLUs die": bool(dead[RELU][0] <= 0.02),
            f"at rate {RATES[-1]} at least a fifth do": high[RELU] >= 0.2,
            f"at rate {RATES[-1]} ELUs die at most half as often": high[ELU] <= high[RELU] / 2,
            f"{LOW_EPOCHS} epochs at rate {LOW_RATE} leave at least half of the dead ReLUs dead": after[RELU]
            >= high[RELU] / 2,
            "of ELUs with the same weights at most 5 % are dead after them": after[ELU] <= 0.05,
            "leaky ReLUs with the same weights are then right at least 20 percentage points more often": accuracy[LEAKY]
            >= accuracy[RELU] + 0.2,
            "and so are ELUs": accuracy[ELU] >= accuracy[RELU] + 0.2,
        },
        numbers={
            **{
                f"share of dead units at rate {rate}, {name}": float(share)
                for name in networks
                for rate, share in zip(RATES, dead[name], strict=True)
            },
            **{f"share of dead units after going on as {name}": value for name, value in after.items()},
            **{f"test accuracy after going on as {name}": value for name, value in accuracy.items()},
        },
        setting={
            "data": f"scikit-learn's digits, standardised, {len(train):,} to train, {len(test)} to test",
            "hidden layers": f"{DEPTH} of {UNITS} units, He's weights",
            "training": f"SGD, batches of {BATCH}, {HIGH_EPOCHS} epochs; each layer's gradient at most {CLIP:g} long",
            "rates": RATES,
            "going on": f"from the ReLUs' weights after rate {RATES[-1]}: {LOW_EPOCHS} epochs at rate {LOW_RATE}",
            "draws of the weights": REPETITIONS,
        },
        seen=(
            f"At rate {RATES[-1]} {high[RELU]:.0%} of the ReLUs died, at {RATES[0]} {dead[RELU][0]:.1%}; of ELUs "
            f"{high[ELU]:.0%}. {LOW_EPOCHS} more epochs at a low rate left {after[RELU]:.0%} of the ReLUs dead and the "
            f"network right on {accuracy[RELU]:.0%} of the test images; from the same weights leaky ReLUs came to "
            f"{accuracy[LEAKY]:.0%} and ELUs to {accuracy[ELU]:.0%}."
        ),
        figure=_figure(dead, after, accuracy),
    )


def _repeat(
    networks: dict[str, Network], train: Data, test: Data
) -> tuple[dict[str, list[float]], dict[str, float], dict[str, float]]:
    """Dead shares at each rate, and dead shares and test accuracies after going on, of one draw of the weights."""
    start = keras.models.clone_model(networks[RELU].model).get_weights()
    fits = {
        name: [network.fit(start, rate, HIGH_EPOCHS, train) for rate in RATES] for name, network in networks.items()
    }
    dead = {name: [share for _, share in fitted] for name, fitted in fits.items()}
    broken = fits[RELU][-1][0]
    after, accuracy = {}, {}
    for name, network in networks.items():
        _, after[name] = network.fit(broken, LOW_RATE, LOW_EPOCHS, train)
        accuracy[name] = network.accuracy(*test)
    return dead, after, accuracy


def _figure(
    dead: dict[str, np.ndarray], after: dict[str, float], accuracy: dict[str, float]
) -> lab.matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    for number, (name, style) in enumerate(zip(dead, ("o-", "s--", "^:"), strict=True)):
        left.semilogx(RATES, 100 * dead[name], style, color=f"C{number}", label=name)
    left.set(xlabel="learning rate", ylabel="dead units, %", ylim=(-2, None))
    left.set_xticks(RATES, list(map(str, RATES)))
    left.minorticks_off()
    left.set_title(f"after {HIGH_EPOCHS} epochs", fontsize=10)
    left.legend()
    places = np.arange(len(after))
    for offset, hatch, colour, values, label in (
        (-0.2, "//", "C3", after, "dead units"),
        (0.2, "", "C0", accuracy, "test accuracy"),
    ):
        bars = right.bar(
            places + offset, [100 * value for value in values.values()], 0.38, hatch=hatch, color=colour, label=label
        )
        right.bar_label(bars, fmt="%.0f")
    right.set(ylabel="%", ylim=(0, 119), yticks=range(0, 101, 20))
    right.set_xticks(places, [f"as {name}" for name in after])
    right.set_title(f"going on from the ReLUs' weights at rate {LOW_RATE}", fontsize=10)
    right.legend(loc="upper left", ncols=2)
    return figure
