"""Starts gradient descent on the stable direction of saddle points, with and without noise.

A saddle point is a minimum along some directions and a maximum along others. Once it is the origin of
E(x, y) = x^2 / 2 - y^2 / 2 + y^4 / 4, with Gaussian noise of several sizes on the gradient (Ge, Huang, Jin and Yuan
2015, Escaping from saddle points). Then scikit-learn's digits go through a linear network with one hidden unit that
gives its input back: its only minimum is the first principal direction, and every further one is a saddle (Baldi and
Hornik 1989, Neural networks and principal component analysis). It starts on the third; mini-batches
are the noise.

Run it with `ann lab saddle_points`.
"""

from __future__ import annotations

import keras
import matplotlib.figure
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

from ann_keras.labs import lab

CLAIM = (
    "Gradient descent that starts on the stable direction of a saddle point stalls there; noise on the gradient leads "
    "it out, in a time that grows only with the logarithm of how small the noise is."
)
EQUATION = (
    r"y_{k+1} = (1 + \eta)\, y_k - \eta\, \epsilon_k, \quad \epsilon_k \sim N(0, \sigma^2) "
    r"\quad \Rightarrow \quad k_{\mathrm{out}} \approx \dfrac{\ln(1 / \sigma)}{\ln(1 + \eta)} + \mathrm{const}"
)

RATE, STEPS, RUNS = 0.1, 600, 200
NOISE = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
OUT = 0.5
"""|y| from which a run has left the saddle; the minima are at 1 and -1."""
DIRECTION = 3
"""Number of the principal direction on which the network starts."""
BATCH, EPOCHS, NETWORK_RATE, ORDERS = 32, 8, 0.3, 5


def slope(place: np.ndarray) -> np.ndarray:
    """The gradient of x^2 / 2 - y^2 / 2 + y^4 / 4 at places (x, y), float [runs, 2]."""
    x, y = place[:, 0], place[:, 1]
    return np.stack([x, y**3 - y], axis=1)


def walk(noise: float, rng: np.random.Generator, runs: int = RUNS) -> np.ndarray:
    """Gradient descent from (1, 0) with Gaussian noise of deviation `noise` on the gradient.

    Returns:
        The places, float64 [STEPS + 1, runs, 2].
    """
    places = [np.tile([1.0, 0.0], (runs, 1))]
    for _ in range(STEPS):
        gradient = slope(places[-1]) + noise * rng.normal(size=(runs, 2))
        places.append(places[-1] - RATE * gradient)
    return np.array(places)


def steps_out(places: np.ndarray) -> np.ndarray:
    """The first step at which |y| > OUT, int [runs]; the number of all places for a run that stays.

    Args:
        places: float [steps + 1, runs, 2].
    """
    out = np.abs(places[:, :, 1]) > OUT
    first: np.ndarray = np.where(out.any(axis=0), np.argmax(out, axis=0), len(places))
    return first


def half_squares(wanted: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Half the squared distance of each row, float32 [batch]."""
    half: np.ndarray = ops.sum(ops.square(wanted - given), axis=-1) / 2
    return half


def network() -> keras.Model:
    """64 pixels through one linear unit and back, without biases."""
    pixels = keras.Input((64,))
    code = keras.layers.Dense(1, use_bias=False, name="encoder")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(64, use_bias=False, name="decoder")(code))
    model.compile(keras.optimizers.SGD(NETWORK_RATE), half_squares, jit_compile=False)
    return model


def train(images: np.ndarray, start: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Trains the network from `start`, with the full batch and with mini-batches in ORDERS orders.

    Args:
        images: float32 [rows, 64], of mean 0.
        start: the encoder's weights and, transposed, the decoder's, float32 [64, 1].
        seed: of the orders.

    Returns:
        The loss over all rows after every epoch, float [EPOCHS], by "full batch" and the number of an order. An epoch
        of the full batch has as many steps as one of mini-batches.
    """
    rng, model, rows = np.random.default_rng(seed), network(), len(images)
    fits = {"full batch": (np.tile(images, (steps_per_epoch(rows), 1)), rows)}
    fits.update({f"order {number}": (images[rng.permutation(rows)], BATCH) for number in range(1, ORDERS + 1)})
    losses = {}
    for name, (fed, batch) in fits.items():
        model.set_weights([start, start.T])
        # The validation loss is that of the weights after the epoch, and not the mean over its steps.
        history = model.fit(
            *(fed, fed),
            batch_size=batch,
            epochs=EPOCHS,
            shuffle=batch < rows,
            validation_data=(images, images),
            validation_batch_size=rows,
            verbose=0,
        ).history
        losses[name] = np.array(history["val_loss"])
    return losses


def steps_per_epoch(rows: int) -> int:
    """Mini-batches of BATCH in an epoch of `rows`."""
    return -(-rows // BATCH)


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    paths = {noise: walk(noise, rng) for noise in (0.0, *NOISE)}
    images = load_digits().data / 16
    images -= images.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(images.T, bias=True))
    variances, directions = variances[::-1], directions[:, ::-1]
    # Half way to the saddle, along the direction on which it is a minimum.
    start = 0.5 * directions[:, [DIRECTION - 1]]
    losses = train(images.astype("float32"), start.astype("float32"), seed)
    # The rest of the variance is the squared distance of an image from its answer.
    best, saddle = ((variances.sum() - variances[number]) / 2 for number in (0, DIRECTION - 1))
    return _result(paths, losses, float(best), float(saddle), steps_per_epoch(len(images)))


def _result(
    paths: dict[float, np.ndarray], losses: dict[str, np.ndarray], best: float, saddle: float, per_epoch: int
) -> lab.Result:
    out = {noise: float(np.median(steps_out(places))) for noise, places in paths.items() if noise}
    escaped = {noise: float(np.mean(steps_out(places) <= STEPS)) for noise, places in paths.items()}
    per_decade = float(np.polyfit(-np.log10(NOISE), list(out.values()), 1)[0])
    foretold = float(np.log(10) / np.log(1 + RATE))
    left = float(np.max(np.abs(slope(paths[0.0][-1]))))
    stalled, moved = losses["full batch"][-1], float(np.mean([loss[-1] for loss in list(losses.values())[1:]]))
    gap = {name: float((loss[-1] - best) / (saddle - best)) for name, loss in losses.items()}
    worst = max(gap[name] for name in gap if name != "full batch")
    return lab.Result(
        checks={
            f"without noise no run leaves in {STEPS} steps, and the gradient falls below 1e-12": (
                escaped[0.0] == 0 and left < 1e-12
            ),
            f"with noise down to {NOISE[-1]:g} all runs leave": min(escaped[noise] for noise in NOISE) == 1,
            "ten times less noise costs ln(10) / ln(1 + rate) further steps, within 15 %": (
                abs(per_decade / foretold - 1) <= 0.15
            ),
            "with the full batch the network ends at the saddle, within 1 % of its height over the minimum": (
                abs(gap["full batch"] - 1) <= 0.01
            ),
            "with mini-batches it ends below a quarter of that height in every order": worst < 0.25,
        },
        numbers={
            **{f"median steps out of the saddle at noise {noise:g}": steps for noise, steps in out.items()},
            "further steps for ten times less noise": per_decade,
            "further steps foretold": foretold,
            "gradient without noise at the end": left,
            "loss of the network at the saddle": saddle,
            "loss of the network at the minimum": best,
            **{f"loss after training, {name}": float(loss[-1]) for name, loss in losses.items()},
        },
        setting={
            "surface": f"x^2/2 - y^2/2 + y^4/4 from (1, 0), rate {RATE}, {RUNS} runs",
            "network": f"64 pixels, one linear unit, 64 pixels, from half the digits' principal direction {DIRECTION}",
            "training": f"SGD, rate {NETWORK_RATE}, {EPOCHS * per_epoch} steps of the full batch or of {BATCH} digits",
            "orders": ORDERS,
        },
        seen=(
            f"Without noise none of {RUNS} runs left the saddle in {STEPS} steps. With noise of {NOISE[0]:g} they left "
            f"after {out[NOISE[0]]:.0f} steps, with noise of {NOISE[-1]:g} after {out[NOISE[-1]]:.0f}: "
            f"{per_decade:.1f} more for ten times less noise, where the theory says {foretold:.1f}. The network stayed "
            f"at the saddle's loss with the full batch, {stalled:.4f}; with mini-batches it came down to {moved:.4f}, "
            f"near the minimum's {best:.4f}."
        ),
        figure=_drawn(paths, losses, best, saddle, per_epoch),
    )


def _drawn(
    paths: dict[float, np.ndarray], losses: dict[str, np.ndarray], best: float, saddle: float, per_epoch: int
) -> matplotlib.figure.Figure:
    figure = lab.figure(12, 4)
    surface, times, network_ = figure.subplots(1, 3)
    x, y = np.meshgrid(np.linspace(-0.4, 1.1, 150), np.linspace(-1.3, 1.3, 150))
    surface.contour(x, y, x**2 / 2 - y**2 / 2 + y**4 / 4, 18, colors="0.8", linewidths=0.8)
    surface.plot(*paths[0.0][:, 0].T, "C0o-", markersize=3, label="no noise: stays at the saddle")
    noisy = surface.plot(*np.moveaxis(paths[NOISE[1]][:, :6], 2, 0), "C1", linewidth=0.9)
    noisy[0].set_label(f"noise {NOISE[1]:g}")
    surface.set(xlabel="x", ylabel="y")
    surface.legend(loc="center right", bbox_to_anchor=(1, 0.62), fontsize=8)
    spread = np.array([np.quantile(steps_out(paths[noise]), (0.05, 0.5, 0.95)) for noise in NOISE])
    times.fill_between(NOISE, spread[:, 0], spread[:, 2], color="C1", alpha=0.25, label="5 to 95 % of the runs")
    times.semilogx(NOISE, spread[:, 1], "C1o-", label="median")
    foretold = spread[0, 1] + np.log(NOISE[0] / np.array(NOISE)) / np.log(1 + RATE)
    times.semilogx(NOISE, foretold, "k:", label="slope of the theory")
    times.set(xlabel="deviation of the gradient's noise", ylabel=f"steps until |y| > {OUT}", ylim=(0, None))
    times.legend(loc="lower left", fontsize=8)
    at = per_epoch * np.arange(1, EPOCHS + 1)
    for name, loss in losses.items():
        label = {"full batch": name, "order 1": f"batches of {BATCH}, {ORDERS} orders"}.get(name)
        network_.plot(at, loss, "C0s-" if name == "full batch" else "C1o-", markersize=3, label=label)
    for height, text in ((saddle, "saddle"), (best, "minimum")):
        network_.axhline(height, color="0.6", linewidth=0.8)
        network_.annotate(text, (per_epoch / 2, height), (0, 3), textcoords="offset points", color="0.4", fontsize=8)
    network_.set(
        xlabel="step", ylabel="loss on the digits", ylim=(best - 0.01, saddle + 0.025), xlim=(per_epoch / 2, None)
    )
    network_.legend(loc="upper right", fontsize=8)
    return figure
