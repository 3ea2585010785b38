"""Dropout as an ensemble: networks trained with dropout on the digits answer with a single mask, with the mean over up
to 50 masks, and with weight scaling.

Srivastava et al. 2014, Dropout, section 7.5; Gal and Ghahramani 2016, Dropout as a Bayesian approximation, section 4.
For one hidden layer and a softmax, weight scaling is exactly the normalised geometric mean over all masks (Hinton et
al. 2012, Improving neural networks by preventing co-adaptation of feature detectors), which is checked mask by mask.

Run it with `ann lab dropout_ensemble`.
"""

from __future__ import annotations

import itertools
from typing import Any

import keras
import matplotlib.figure
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

from ann_keras.datasets import splits
from ann_keras.labs import lab
from ann_keras.layers.monte_carlo_dropout import MonteCarloDropout, monte_carlo

CLAIM = (
    "Dropout trains an ensemble of weak networks: the mean over many masks errs far less than one masked network, and "
    "weight scaling, one pass without masks, errs about as rarely."
)
EQUATION = (
    r"\frac{1}{T} \sum_{t=1}^{T} p(y \mid x, m_t) \ \approx\ p(y \mid x, E[m]) \ \propto\ "
    r"\prod_m p(y \mid x, m)^{P(m)} \quad (\mathrm{the\ last\ exact\ for\ one\ hidden\ layer})"
)

NETWORKS = 3
SIZES = (1, 2, 5, 10, 20, 50)
"""Masks in an ensemble."""
ENSEMBLES = 3
"""Ensembles of each size over which its figures are averaged."""
RATE = 0.5
UNITS = 64
STEPS = 300
TRAINED, TESTED = 500, 500
FEW_UNITS = 8
"""Hidden units of the network whose 2^8 masks are all tried."""
SETTING = {
    "data": f"digits (scikit-learn), {TRAINED} to train on and {TESTED} to test on",
    "networks": f"{NETWORKS} of 64 - {UNITS} - {UNITS} - 10 rectified units",
    "dropout": f"{RATE} of each hidden layer",
    "training": f"Adam with rate 0.003, {STEPS} full batches",
    "ensembles of each size": ENSEMBLES,
}


def run(seed: int = 0) -> lab.Result:
    """Trains the networks, asks them in the three ways, and enumerates the masks of a small one."""
    found = np.array([_figures_of_a_network(seed * NETWORKS + number) for number in range(NETWORKS)])
    errors, losses = found.mean(axis=0).T
    ensembles, scaled = dict(zip(SIZES, errors, strict=False)), errors[-1]
    single, ensemble = ensembles[1], ensembles[SIZES[-1]]
    distance = _distance_from_geometric_mean(seed)
    checks = {
        f"one mask errs at least 1.5 times as often as {SIZES[-1]}": single >= 1.5 * ensemble,
        f"the loss falls from 1 mask to {SIZES[2]} and from these to {SIZES[-1]}": (
            losses[0] > losses[2] > losses[len(SIZES) - 1]
        ),
        f"weight scaling's error is within one percentage point of that of {SIZES[-1]} masks": abs(scaled - ensemble)
        <= 0.01,
        "weight scaling makes up at least 80 % of the distance in error between one mask and the ensemble": (
            single - scaled >= 0.8 * (single - ensemble)
        ),
        "with one hidden layer weight scaling is the geometric mean over all masks to 1e-5": distance < 1e-5,
    }
    numbers = {f"test error, masks: {size}": float(error) for size, error in ensembles.items()}
    numbers |= {f"test loss in nats, masks: {size}": float(loss) for size, loss in zip(SIZES, losses, strict=False)}
    numbers |= {
        "test error by weight scaling": float(scaled),
        "test loss in nats by weight scaling": float(losses[-1]),
        f"largest distance from the geometric mean over {2**FEW_UNITS} masks": distance,
    }
    return lab.Result(
        checks={name: bool(held) for name, held in checks.items()},
        numbers=numbers,
        setting=SETTING,
        seen=(
            f"One masked network errs on {single:.1%} of the test digits, {SIZES[-1]} masks together on "
            f"{ensemble:.1%}, weight scaling on {scaled:.1%}; the losses are {losses[0]:.3f}, "
            f"{losses[len(SIZES) - 1]:.3f} and {losses[-1]:.3f} nats. With one hidden layer of {FEW_UNITS} units "
            f"weight scaling is {distance:.0e} away from the geometric mean over all {2**FEW_UNITS} masks."
        ),
        figure=_figure(found),
    )


def network(hidden: tuple[int, ...]) -> keras.Model:
    """Pixels -> logits, float32 [batch, 64] -> [batch, 10], with dropout on every hidden layer."""
    inputs = keras.Input((64,))
    x = inputs
    for units in hidden:
        x = keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal")(x)
        x = MonteCarloDropout(RATE)(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="scores")(x))


def geometric_mean(logarithms: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The normalised weighted geometric mean of distributions.

    Args:
        logarithms: ln p, float64 [members, batch, classes].
        shares: the members' weights, float64 [members], which sum to 1.
    """
    mean = np.exp(np.tensordot(shares, logarithms, 1))
    normalised: np.ndarray = mean / mean.sum(axis=-1, keepdims=True)
    return normalised


def _trained(hidden: tuple[int, ...], seed: int) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A trained network, and the test digits: float32 [rows, 64] in [0, 1], int64 [rows]."""
    keras.utils.set_random_seed(seed)
    X, t = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    shares = {"train": TRAINED / len(t), "test": TESTED / len(t)}
    shares["rest"] = 1 - sum(shares.values())
    split = splits.hold_out(np.arange(len(t)).astype(str), t, shares, seed)
    train, test = split == "train", split == "test"
    model = network(hidden)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)
    # One epoch of equal full batches: an epoch of its own for each step costs ten times as much.
    every = np.tile(X[train], (STEPS, 1)), np.tile(t[train], STEPS)
    model.fit(*every, batch_size=int(train.sum()), shuffle=False, verbose=0)
    return model, X[test], t[test]


def _judged(probabilities: Any, t: np.ndarray) -> tuple[float, float]:
    """The error rate and the mean of -ln p of the right class in nats."""
    p = ops.convert_to_numpy(probabilities)
    return float((p.argmax(axis=1) != t).mean()), float(-np.log(p[np.arange(len(t)), t] + 1e-12).mean())


def _figures_of_a_network(seed: int) -> np.ndarray:
    """Error and loss for each of SIZES and for weight scaling: float64 [SIZES + 1, 2]."""
    model, X, t = _trained((UNITS, UNITS), seed)
    rows = []
    for size in SIZES:
        means = [monte_carlo(model, X, size, draw, answer=ops.softmax)[0] for draw in range(ENSEMBLES)]
        rows.append(np.mean([_judged(mean, t) for mean in means], axis=0))
    return np.array([*rows, _judged(ops.softmax(model(X)), t)])


def _distance_from_geometric_mean(seed: int) -> float:
    """The largest difference between weight scaling and all masks of a small network, over the test digits."""
    model, X, _ = _trained((FEW_UNITS,), seed)
    hidden = ops.convert_to_numpy(model.layers[1](X)).astype("float64")
    kernel, bias = (np.asarray(weights, "float64") for weights in model.get_layer("scores").get_weights())
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=FEW_UNITS)))
    logits = (hidden * masks[:, None, :] / (1 - RATE)) @ kernel + bias
    logarithms = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    shares = np.prod(np.where(masks == 0, RATE, 1 - RATE), axis=1)
    scaled = ops.convert_to_numpy(ops.softmax(model(X)))
    return float(np.abs(geometric_mean(logarithms, shares) - scaled).max())


def _figure(found: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    for index, axes in enumerate(figure.subplots(1, 2)):
        values = found[..., index] * (100, 1)[index]
        for number, each in enumerate(values):
            label = "each network" if number == 0 else None
            axes.plot(SIZES, each[:-1], color="0.75", lw=1, label=label)
        mean = values.mean(axis=0)
        axes.plot(SIZES, mean[:-1], "C0o-", label="mean over masks")
        axes.axhline(mean[-1], color="C1", ls="--", label="weight scaling")
        axes.annotate("a single masked network", (1, mean[0]), (12, -2), textcoords="offset points", fontsize=9)
        axes.set(xscale="log", xlabel="masks T", ylabel=("test error in %", "test loss in nats")[index])
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    return figure
