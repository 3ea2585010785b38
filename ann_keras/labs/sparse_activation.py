"""Counts the hidden outputs that differ from zero, before and while networks of ReLUs and of tanhs are trained.

A ReLU is off for every input on the negative side of its plane: with weights symmetric about zero, half of the inputs
(Glorot, Bordes and Bengio 2011, Deep sparse rectifier neural networks, section 3). A tanh is zero on a plane alone, so
that every unit of such a network takes part in every answer. A penalty on the absolute outputs, as in section 3 there,
switches more ReLUs off.

Run it with `ann lab sparse_activation`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ann_keras.labs import lab

CLAIM = "About half of the ReLUs are off for an image, before training and after it; of the tanhs hardly any is."
EQUATION = (
    r"P(\mathrm{ReLU}(w^\top x) > 0) = P(w^\top x > 0) = \frac{1}{2} \quad "
    r"\mathrm{where} \quad p(w) = p(-w), \qquad P(\tanh(w^\top x) \neq 0) = 1"
)

NETWORKS = {"ReLU": ("relu", 2.0, 0.0), "ReLU, L1": ("relu", 2.0, 1e-4), "tanh": ("tanh", 1.0, 0.0)}
"""name -> activation, variance of its weights times their inputs, and the penalty on the sum of absolute outputs."""
UNITS, DEPTH = 128, 3
EPOCHS, BATCH, RATE = 20, 64, 1e-3
THRESHOLD = 0.01
"""An output is active where its absolute value is larger."""
TEST_FRACTION = 0.3


def active_share(outputs: Sequence[np.ndarray]) -> float:
    """The share of outputs above `THRESHOLD` in absolute value, over all layers.

    Args:
        outputs: of each layer, float [rows, units].
    """
    active = sum(int((np.abs(values) > THRESHOLD).sum()) for values in outputs)
    return active / sum(values.size for values in outputs)


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(
        images, labels, test_size=TEST_FRACTION, stratify=labels, random_state=seed
    )
    scaler = StandardScaler().fit(train)
    train, test = (scaler.transform(some).astype("float32") for some in (train, test))
    shares, accuracies, units = {}, {}, {}
    for name, network in NETWORKS.items():
        hidden, model = _build(*network)
        shares[name] = _fit(hidden, model, train, train_labels, test)
        accuracies[name] = float((model.predict(test, verbose=0).argmax(axis=1) == test_labels).mean())
        units[name] = np.concatenate([(np.abs(out) > THRESHOLD).mean(axis=0) for out in _outputs(hidden, test)])
    first = {name: values[0] for name, values in shares.items()}
    last = {name: values[-1] for name, values in shares.items()}
    return lab.Result(
        checks={
            "before training 45 to 55 % of the ReLUs are on": 0.45 <= first["ReLU"] <= 0.55,
            "after training between a third and two thirds are": 1 / 3 <= last["ReLU"] <= 2 / 3,
            "with the penalty at most 60 % as many as without": last["ReLU, L1"] <= 0.6 * last["ReLU"],
            "of the tanhs at least 95 % are on, before and after": min(first["tanh"], last["tanh"]) >= 0.95,
            "neither ReLU network is worse on the test images than the tanhs by more than 4 percentage points": min(
                accuracies["ReLU"], accuracies["ReLU, L1"]
            )
            >= accuracies["tanh"] - 0.04,
        },
        numbers={
            **{f"share of outputs on before training, {name}": value for name, value in first.items()},
            **{f"share of outputs on after training, {name}": value for name, value in last.items()},
            **{f"test accuracy, {name}": value for name, value in accuracies.items()},
        },
        setting={
            "data": f"scikit-learn's digits, standardised, {len(train):,} to train, {len(test)} to count and test on",
            "hidden layers": f"{DEPTH} of {UNITS} units",
            "weights": "He's for ReLUs, Xavier's for tanhs, biases 0",
            "on": f"an output above {THRESHOLD} in absolute value",
            "L1 penalty": NETWORKS["ReLU, L1"][2],
            "training": f"Adam, rate {RATE}, batches of {BATCH}, {EPOCHS} epochs",
        },
        seen=(
            f"Before training {first['ReLU']:.1%} of the ReLUs were on for an image, after it {last['ReLU']:.1%}, and "
            f"with an L1 penalty on the outputs {last['ReLU, L1']:.1%}; of the tanhs {first['tanh']:.1%} and "
            f"{last['tanh']:.1%}. Test accuracy: {accuracies['ReLU']:.1%}, {accuracies['ReLU, L1']:.1%} with the "
            f"penalty, {accuracies['tanh']:.1%} for the tanhs."
        ),
        figure=_figure(shares, units),
    )


def _build(activation: str, gain: float, penalty: float) -> tuple[keras.Model, keras.Model]:
    """A network to the outputs of its hidden layers, and the one to the logits that shares them."""
    pixels = keras.Input((64,))
    x, outputs = pixels, []
    for _ in range(DEPTH):
        x = keras.layers.Dense(
            UNITS,
            activation,
            kernel_initializer=keras.initializers.VarianceScaling(gain, "fan_in", "untruncated_normal"),
            activity_regularizer=keras.regularizers.L1(penalty),
        )(x)
        outputs.append(x)
    return keras.Model(pixels, outputs), keras.Model(pixels, keras.layers.Dense(10)(x))


def _outputs(hidden: keras.Model, images: np.ndarray) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(values) for values in hidden(images)]


def _fit(
    hidden: keras.Model, model: keras.Model, images: np.ndarray, labels: np.ndarray, test: np.ndarray
) -> list[float]:
    """The share of active outputs on the test images, before training and after each epoch."""
    shares = [active_share(_outputs(hidden, test))]
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: shares.append(active_share(_outputs(hidden, test)))
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss, jit_compile=False)
    model.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[count])
    return shares


def _figure(shares: dict[str, list[float]], units: dict[str, np.ndarray]) -> lab.matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    for number, (name, style) in enumerate(zip(shares, ("-", "--", ":"), strict=True)):
        colour = f"C{number}"
        left.plot([100 * share for share in shares[name]], style, color=colour, linewidth=2, label=name)
        bins = np.linspace(0, 100, 21)
        right.hist(100 * units[name], bins, histtype="step", linestyle=style, color=colour, linewidth=2, label=name)
    left.set(xlabel="epoch", ylabel="outputs on, %", ylim=(0, 105))
    left.set_title("share of outputs that are on", fontsize=10)
    left.legend(loc="center right", bbox_to_anchor=(1, 0.7))
    right.set(xlabel="test images that a unit is on for, %", ylabel="units")
    right.set_yscale("log")
    right.set_title("each unit, after training", fontsize=10)
    right.legend(loc="upper center")
    return figure
