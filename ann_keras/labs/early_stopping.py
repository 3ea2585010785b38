"""Early stopping: networks trained far beyond what diabetes can bear, stopped where the validation error was least, and
judged on a test set that had no say.

Prechelt 1998, Early stopping - but when?; Bishop 2006, Pattern Recognition and Machine Learning, section 5.5.2.

Run it with `ann lab early_stopping`.
"""

from __future__ import annotations

from typing import Any

import keras
import matplotlib.figure
import numpy as np
from sklearn.datasets import load_diabetes

from ann_keras.datasets import splits
from ann_keras.labs import lab

CLAIM = (
    "While the training error goes on falling, the error on new data falls and then rises: the epoch with the least "
    "validation error has a lower test error than the last one, and nearly the lowest there was."
)
EQUATION = (
    r"\hat{k} = \mathrm{argmin}_k E_{\mathrm{validation}}(w_k), \qquad "
    r"E_{\mathrm{test}}(w_{\hat{k}}) < E_{\mathrm{test}}(w_K)"
)

DIVISIONS = 10
SIZES = {"training": 150, "validation": 100, "test": 192}
UNITS = 64
RATE = 2e-3
EPOCHS = 400
EVERY = 5
"""Epochs between two looks at the errors; an epoch is one step on the whole training set."""
SETTING = {
    "data": "diabetes (scikit-learn)",
    "examples": SIZES,
    "divisions, a network each": DIVISIONS,
    "network": f"10 - {UNITS} tanh - {UNITS} tanh - 1, Adam with rate {RATE}, full batches",
    "epochs": EPOCHS,
}


def run(seed: int = 0) -> lab.Result:
    """Trains one network for each division of the data and follows its three errors."""
    parts = _divisions(seed)
    errors = np.sqrt(errors_over_training(parts))
    training, validation, test = (errors[..., index] for index in range(len(SIZES)))
    every = np.arange(DIVISIONS)
    chosen = validation.argmin(axis=0)
    at_chosen, at_end, least = test[chosen, every], test[-1], test.min(axis=0)
    falling = float((np.diff(training, axis=0) < 0).mean())
    checks = {
        "the training error falls from look to look at least 90 times in 100": falling >= 0.9,
        "the test error at the chosen epoch is below that at the end in every division": (at_chosen < at_end).all(),
        "on average it is at least 10 % lower": at_chosen.mean() <= 0.9 * at_end.mean(),
        "on average it is at most 5 % above the least of all epochs": at_chosen.mean() <= 1.05 * least.mean(),
    }
    return lab.Result(
        checks={name: bool(held) for name, held in checks.items()},
        numbers={
            "test error at the chosen epoch (rms)": float(at_chosen.mean()),
            "test error at the end (rms)": float(at_end.mean()),
            "least test error of all epochs (rms)": float(least.mean()),
            "validation error at the chosen epoch (rms)": float(validation[chosen, every].mean()),
            "training error at the chosen epoch (rms)": float(training[chosen, every].mean()),
            "training error at the end (rms)": float(training[-1].mean()),
            "chosen epoch, median": float(np.median(EVERY * chosen)),
            "share of looks at which the training error had fallen": falling,
        },
        setting=SETTING,
        seen=(
            f"From the chosen epoch, {np.median(EVERY * chosen):.0f} in the median, to epoch {EPOCHS} the training "
            f"error falls from {training[chosen, every].mean():.1f} to {training[-1].mean():.1f}; the test error rises "
            f"from {at_chosen.mean():.1f} to {at_end.mean():.1f}, in {(at_chosen < at_end).sum()} of {DIVISIONS} "
            f"divisions. The least test error of any epoch was {least.mean():.1f}."
        ),
        figure=_figure(errors, chosen),
    )


def _divisions(seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each of SIZES the features, [rows, DIVISIONS, 10], and targets, [rows, DIVISIONS, 1]."""
    X, t = load_diabetes(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    keys, one_class = np.arange(len(t)).astype(str), np.zeros(len(t), np.int64)
    shares = {name: size / len(t) for name, size in SIZES.items()}
    drawn = [splits.hold_out(keys, one_class, shares, seed * DIVISIONS + number) for number in range(DIVISIONS)]
    rows = {name: np.stack([np.flatnonzero(split == name) for split in drawn], axis=1) for name in SIZES}
    return {name: (X[index], t[index][..., None]) for name, index in rows.items()}


class Looks(keras.callbacks.Callback):
    """Notes the mean squared error of every network on every part, before training and after each epoch of `fit`."""

    def __init__(self, parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.parts = parts
        self.errors: list[list[np.ndarray]] = []

    def look(self) -> None:
        """Appends float64 [parts, networks]."""
        answers = [(keras.ops.convert_to_numpy(self.model(X, training=False)), t) for X, t in self.parts.values()]
        self.errors.append([((answer - t) ** 2).mean(axis=(0, 2)) for answer, t in answers])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """The errors of the initial weights."""
        self.look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """The errors now."""
        self.look()


def network(units: int, networks: int) -> keras.Model:
    """As many independent networks as there are divisions, side by side: float32 [batch, networks, 10 -> 1]."""
    inputs = keras.Input((networks, 10))
    x = inputs
    for width, activation in ((units, "tanh"), (units, "tanh"), (1, None)):
        layer = keras.layers.EinsumDense("bni,nij->bnj", (networks, width), activation, bias_axes="nj")
        # Glorot's fans are those of one network, not of the whole kernel.
        layer.kernel_initializer = keras.initializers.RandomNormal(stddev=(1 / x.shape[-1]) ** 0.5)
        x = layer(x)
    return keras.Model(inputs, x)


def errors_over_training(parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Mean squared errors in the target's unit squared: float64 [looks, DIVISIONS, SIZES]."""
    X, t = parts["training"]
    mean, deviation = t.mean(axis=0), t.std(axis=0)
    scaled = {name: (features, (targets - mean) / deviation) for name, (features, targets) in parts.items()}
    looks = Looks(scaled)
    model = network(UNITS, DIVISIONS)
    # Adam's steps do not depend on the loss's scale, so the mean over networks trains each as if it were alone.
    model.compile(keras.optimizers.Adam(RATE), "mse", jit_compile=False)
    X, t = (np.tile(values, (EVERY, 1, 1)) for values in scaled["training"])
    model.fit(
        X, t, batch_size=SIZES["training"], epochs=EPOCHS // EVERY, shuffle=False, callbacks=[looks], verbose=0
    )  # fmt: skip
    return np.moveaxis(np.array(looks.errors), 1, 2) * deviation**2


def _figure(errors: np.ndarray, chosen: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    course, scatter = figure.subplots(1, 2, width_ratios=(3, 2))
    epochs = EVERY * np.arange(len(errors))
    for index, (name, style) in enumerate(zip(SIZES, (":", "--", "-"), strict=True)):
        course.plot(epochs, errors[..., index].mean(axis=1), f"C{index}{style}", label=name)
        low, high = np.quantile(errors[..., index], [0.1, 0.9], axis=1)
        course.fill_between(epochs, low, high, color=f"C{index}", alpha=0.15, lw=0)
    course.plot(EVERY * chosen, np.full(len(chosen), 3.0), "k|", ms=12, label="chosen epochs")
    course.set(xlabel="epoch", ylabel="root mean squared error (disease progression)", ylim=(0, 120))
    course.set_title(f"{DIVISIONS} divisions: mean, and 10 to 90 %", fontsize=10)
    course.legend(fontsize=8, loc="upper right", ncols=2)
    test = errors[..., 2]
    at_chosen = test[chosen, np.arange(len(chosen))]
    scatter.plot(at_chosen, test[-1], "oC2", label="at the end")
    scatter.plot(at_chosen, test.min(axis=0), "^C0", label="least of all epochs")
    ends = [at_chosen.min() - 1, at_chosen.max() + 1]
    scatter.plot(ends, ends, "k-", lw=1, label="as at the chosen epoch")
    scatter.set(xlabel="test error at the chosen epoch (rms)", ylabel="test error (rms)")
    scatter.legend(fontsize=8)
    return figure
