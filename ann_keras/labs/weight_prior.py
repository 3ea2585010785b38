"""A Gaussian prior of the weights: its most probable weights beside the ridge solution, and the error of gamma where
the weights were really drawn from a prior.

The posterior of a linear model on diabetes is maximised from its densities by a quasi-Newton method, and by gradient
descent in Keras with the library's `gaussian_prior`; neither knows the closed form. Then weights are drawn from
N(0, sigma_w^2) thousands of times and estimated with gammas on either side of sigma^2 / sigma_w^2, whose estimate is
the posterior's mean and so has the least expected squared error (Hoerl and Kennard 1970, Ridge regression; Bishop 2006,
Pattern Recognition and Machine Learning, section 3.3.1).

Run it with `ann lab weight_prior`.
"""

from __future__ import annotations

import keras
import matplotlib.figure
import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.datasets import load_diabetes

from ann_keras.labs import lab
from ann_keras.regularizers.weight_prior import gaussian_prior

CLAIM = (
    "Squared weights in the loss are a Gaussian prior of the weights: with gamma = sigma^2 / sigma_w^2 the ridge "
    "solution is the most probable one, and no other gamma estimates weights drawn from that prior better."
)
EQUATION = (
    r"\mathrm{argmax}_w\, p(w \mid D) = \mathrm{argmin}_w \sum_n (t_n - w^T x_n)^2 + \frac{\sigma^2}{\sigma_w^2} "
    r"\sum_q w_q^2 = (X^T X + \gamma I)^{-1} X^T t"
)

SIGMA = 0.7
"""Of the noise on the standardised target; about what a linear model leaves of diabetes."""
WIDTHS = (0.02, 0.05, 0.2)
"""sigma_w of the priors whose posteriors are maximised."""
STEPS = 1000
DRAWN_WIDTHS = (0.25, 0.5, 1.0)
"""sigma_w of the priors that weights are drawn from; there sigma = 1."""
ROWS, FEATURES, DRAWS = 20, 10, 4000
POSTERIOR, KERAS = "the posterior's maximum", "Keras"
RATIOS = 2.0 ** np.arange(-6, 7)
"""The gammas that are tried, in units of sigma^2 / sigma_w^2."""


def run(seed: int = 0) -> lab.Result:
    """Maximises three posteriors in two ways, and tries gammas on weights drawn from three priors."""
    X, t = load_diabetes(return_X_y=True)
    X, t = (X - X.mean(axis=0)) / X.std(axis=0), (t - t.mean()) / t.std()
    numbers: dict[str, float] = {}
    distances: dict[str, list[float]] = {POSTERIOR: [], KERAS: []}
    for width in WIDTHS:
        closed = ridge(X, t, SIGMA**2 / width**2)
        ways = {POSTERIOR: most_probable(X, t, SIGMA, width), KERAS: descend(X, t, SIGMA**2 / width**2)}
        for name, weights in ways.items():
            distance = float(np.abs(weights - closed).max() / np.abs(closed).max())
            distances[name].append(distance)
            numbers[f"distance of {name} from ridge, of its largest weight, sigma_w = {width:g}"] = distance
    curves = {width: errors_of_gammas(width, seed) for width in DRAWN_WIDTHS}
    best = {width: float(RATIOS[curve.argmin()]) for width, curve in curves.items()}
    gain = {width: float(curve[0] / curve.min()) for width, curve in curves.items()}
    for width in DRAWN_WIDTHS:
        numbers[f"best gamma, of sigma^2 / sigma_w^2, sigma_w = {width:g}"] = best[width]
        numbers[f"error at a 64th of it, of the least, sigma_w = {width:g}"] = gain[width]
    checks = {
        "ridge is the posterior's maximum to 1e-5 of its largest weight": max(distances[POSTERIOR]) < 1e-5,
        "Keras with the prior ends at ridge to 1e-5 of its largest weight": max(distances[KERAS]) < 1e-5,
        "of gammas a factor of 2 apart, sigma^2 / sigma_w^2 or a neighbour is the best for every prior": all(
            0.5 <= ratio <= 2 for ratio in best.values()
        ),
        "a 64 times weaker or stronger prior than the true one costs at least 10 % of error": all(
            min(curve[0], curve[-1]) >= 1.1 * curve.min() for curve in curves.values()
        ),
    }
    found = ", ".join(f"{best[width] / width**2:.3g}" for width in DRAWN_WIDTHS)
    wanted = ", ".join(f"{1 / width**2:.3g}" for width in DRAWN_WIDTHS)
    return lab.Result(
        checks={name: bool(held) for name, held in checks.items()},
        numbers=numbers,
        setting={
            "data": "diabetes (scikit-learn), standardised",
            "drawn": f"{DRAWS} times {FEATURES} weights, with {ROWS} examples",
            "sigma, sigma_w on diabetes": f"{SIGMA}; {', '.join(map(str, WIDTHS))}",
            "steps of gradient descent": STEPS,
        },
        seen=(
            f"From the closed form the posterior's maximum is at most {max(distances[POSTERIOR]):.0e} of the largest "
            f"weight away, Keras {max(distances[KERAS]):.0e}. For weights drawn with sigma_w = "
            f"{', '.join(f'{width:g}' for width in DRAWN_WIDTHS)} the best gammas were {found}; sigma^2 / sigma_w^2 is "
            f"{wanted}."
        ),
        figure=_figure(X, t, curves),
    )


def ridge(X: np.ndarray, t: np.ndarray, gamma: float) -> np.ndarray:
    """(X'X + gamma I)^-1 X't, float64 [features] or [features, targets]."""
    solved: np.ndarray = np.linalg.solve(X.T @ X + gamma * np.eye(X.shape[1]), X.T @ t)
    return solved


def log_posterior(w: np.ndarray, X: np.ndarray, t: np.ndarray, sigma: float, sigma_w: float) -> float:
    """ln p(t | X, w) + ln p(w) in nats: the densities themselves, no closed form."""
    return float(norm.logpdf(t, X @ w, sigma).sum() + norm.logpdf(w, 0, sigma_w).sum())


def most_probable(X: np.ndarray, t: np.ndarray, sigma: float, sigma_w: float) -> np.ndarray:
    """The maximum of `log_posterior`, found from zero weights."""

    def gradient(w: np.ndarray) -> np.ndarray:
        return -(X.T @ (t - X @ w) / sigma**2 - w / sigma_w**2)

    found = minimize(
        lambda w: -log_posterior(w, X, t, sigma, sigma_w), np.zeros(X.shape[1]), jac=gradient, method="BFGS",
        options={"gtol": 1e-6},
    )  # fmt: skip
    weights: np.ndarray = found.x
    return weights


def descend(X: np.ndarray, t: np.ndarray, gamma: float) -> np.ndarray:
    """A linear model in Keras with the prior, by gradient descent with momentum on all examples."""
    inputs = keras.Input((X.shape[1],))
    prior = gaussian_prior(gamma, len(t))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_regularizer=prior)(inputs))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=False)
    # One epoch of equal full batches: an epoch of its own for each step costs ten times as much.
    model.fit(np.tile(X, (STEPS, 1)), np.tile(t, STEPS), batch_size=len(t), shuffle=False, verbose=0)
    return keras.ops.convert_to_numpy(model.layers[-1].kernel)[:, 0]


def errors_of_gammas(sigma_w: float, seed: int) -> np.ndarray:
    """Mean squared error of the weights by each gamma of RATIOS, over DRAWS of weights and noise: float64 [gammas]."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(ROWS, FEATURES))
    w = generator.normal(0, sigma_w, size=(FEATURES, DRAWS))
    t = X @ w + generator.normal(size=(ROWS, DRAWS))
    return np.array([((ridge(X, t, ratio / sigma_w**2) - w) ** 2).mean() for ratio in RATIOS])


def _figure(X: np.ndarray, t: np.ndarray, curves: dict[float, np.ndarray]) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    posterior, course = figure.subplots(1, 2)
    # Along the weight of one feature, the others at the solution: the posterior narrows about ridge's weight.
    feature = int(np.abs(X.T @ t).argmax())
    values = np.linspace(0, 0.5, 400)
    for index, width in enumerate(WIDTHS):
        closed = ridge(X, t, SIGMA**2 / width**2)
        along = [
            log_posterior(np.where(np.arange(len(closed)) == feature, value, closed), X, t, SIGMA, width)
            for value in values
        ]
        density = np.exp(np.array(along) - max(along))
        style = ("-", "--", ":")[index]
        posterior.plot(values, density, f"C{index}{style}", label=f"$\\sigma_w$ = {width:g}")
        posterior.plot(closed[feature], 0, f"C{index}^", ms=9, clip_on=False, zorder=3)
    posterior.plot([], [], "k^", label="ridge solution")
    name = load_diabetes().feature_names[feature]
    posterior.set(
        xlabel=f"weight of {name!r} (standardised)", ylabel="posterior density, of its maximum", ylim=(0, 1.3)
    )
    posterior.legend(fontsize=8, loc="upper left", ncols=2)
    for index, (width, curve) in enumerate(curves.items()):
        style = ("-", "--", ":")[index]
        course.plot(RATIOS / width**2, curve / curve.min(), f"C{index}o{style}", ms=4, label=f"$\\sigma_w$ = {width:g}")
        course.axvline(1 / width**2, color=f"C{index}", ls=style, lw=1)
    course.set(xscale="log", yscale="log", xlabel="gamma", ylabel="squared error of the weights, of the least")
    ticks = [1, 2, 5, 10]
    course.set_yticks(ticks, [str(tick) for tick in ticks])
    course.minorticks_off()
    course.set_title(r"weights drawn from the prior; lines: $\sigma^2 / \sigma_w^2$", fontsize=10)
    course.legend(fontsize=8)
    return figure
