"""Estimates the mean of a Gaussian by maximum likelihood from ever more observations.

The log-likelihood is N log(1 / (sqrt(2 pi) sigma)) - sum (x_n - mu)^2 / (2 sigma^2); its derivative vanishes at the
average of the observations. That estimate is unbiased and consistent, with standard error sigma / sqrt(N) (Bishop 2006,
Pattern Recognition and Machine Learning, section 1.2.4, eqs 1.54, 1.55 and 1.57), and asymptotically no other regular
one is better (Fisher 1922, On the mathematical foundations of theoretical statistics): the median, also consistent, has
sqrt(pi / 2) times its error.

Run it with `ann lab gaussian_mean`.
"""

from __future__ import annotations

import matplotlib.figure
import numpy as np
from scipy import optimize

from ann_keras.labs import lab

CLAIM = "The average maximises the likelihood of a Gaussian's mean, and it comes ever closer to the true mean."
EQUATION = (
    r"\mu_{ML} = \arg\max_\mu \, \left[ N \log \frac{1}{\sqrt{2\pi}\,\sigma} "
    r"- \frac{1}{2\sigma^2} \sum_{n=1}^{N} (x_n - \mu)^2 \right] = \frac{1}{N} \sum_{n=1}^{N} x_n"
)

MEAN, SIGMA = 3.0, 2.0
SIZES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
REPETITIONS = 1_000
TOLERANCE = 0.1
"""Of the true mean, in standard deviations: consistency is that fewer and fewer estimates lie beyond it."""


def log_likelihood(mean: float | np.ndarray, observations: np.ndarray, sigma: float) -> np.ndarray:
    """The log-likelihood of each mean.

    Args:
        mean: candidates, float64 [candidates] or one number.
        observations: float64 [N].
        sigma: the known standard deviation, above 0.

    Returns:
        float64 [candidates], or a scalar array for one number.
    """
    squares = np.square(observations - np.asarray(mean)[..., None]).sum(axis=-1)
    constant = -len(observations) * np.log(np.sqrt(2 * np.pi) * sigma)
    return np.asarray(constant - squares / (2 * sigma**2))


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    averages, medians = np.empty((2, len(SIZES), REPETITIONS))
    for repetition in range(REPETITIONS):
        observations = rng.normal(MEAN, SIGMA, SIZES[-1])
        for row, size in enumerate(SIZES):
            averages[row, repetition] = observations[:size].mean()
            medians[row, repetition] = np.median(observations[:size])
    sample = rng.normal(MEAN, SIGMA, SIZES[-1])
    gap = max(abs(_argmax(sample[:size]) - sample[:size].mean()) for size in SIZES)

    errors = np.sqrt(np.square(averages - MEAN).mean(axis=1))
    median_errors = np.sqrt(np.square(medians - MEAN).mean(axis=1))
    theory = SIGMA / np.sqrt(SIZES)
    bias = np.abs(averages.mean(axis=1) - MEAN) / (theory / np.sqrt(REPETITIONS))
    far = (np.abs(averages - MEAN) > TOLERANCE * SIGMA).mean(axis=1)
    efficiency = median_errors[-1] / errors[-1]
    deviation = np.abs(errors / theory - 1).max()
    return lab.Result(
        checks={
            "a numerical maximum of the log-likelihood lies within 1e-5 of the average, at every N": gap < 1e-5,
            "the error is sigma / sqrt(N) within 10 % at every N": bool(deviation < 0.1),
            "the average of the estimates is within 4 standard errors of the truth at every N": bool(bias.max() < 4),
            "beyond a tenth of sigma lie over half of the estimates at N = 10 and under 1 in 100 at N = 10,000": bool(
                far[0] > 0.5 and far[-1] < 0.01
            ),
            "the median's error is at least 1.15 times the average's at N = 10,000": bool(efficiency >= 1.15),
        },
        numbers={
            **{f"root mean squared error at N = {size:,}": error for size, error in zip(SIZES, errors, strict=True)},
            "largest distance of the numerical maximum from the average": gap,
            "largest relative distance of the error from sigma / sqrt(N)": deviation,
            "share of estimates beyond 0.1 sigma at N = 10": far[0],
            "share of estimates beyond 0.1 sigma at N = 1,000": far[SIZES.index(1_000)],
            "share of estimates beyond 0.1 sigma at N = 10,000": far[-1],
            "error of the median over that of the average at N = 10,000": efficiency,
        },
        setting={"mean": MEAN, "sigma": SIGMA, "observations": SIZES, "repetitions": REPETITIONS},
        seen=(
            f"The root mean squared error fell from {errors[0]:.3f} at N = 10 to {errors[-1]:.4f} at N = 10,000, never "
            f"more than {deviation:.1%} from sigma / sqrt(N). The maximum found by search lies at most {gap:.1e} from "
            f"the average. The median, also consistent, errs {efficiency:.2f} times as much (theory: 1.25)."
        ),
        figure=_figure(sample, errors, median_errors),
    )


def _argmax(observations: np.ndarray) -> float:
    """The mean of largest log-likelihood, by Brent's search, which knows nothing of the closed form."""
    found = optimize.minimize_scalar(
        lambda mean: -float(log_likelihood(mean, observations, SIGMA)),
        bounds=(observations.min(), observations.max()),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


def _figure(sample: np.ndarray, errors: np.ndarray, median_errors: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    means = np.linspace(MEAN - 1.5, MEAN + 1.5, 601)
    for colour, style, size in zip(("C0", "C1", "C2"), (":", "--", "-"), (10, 100, 1_000), strict=True):
        values = log_likelihood(means, sample[:size], SIGMA)
        left.plot(means, np.exp(values - values.max()), style, color=colour, label=f"N = {size:,}")
        left.plot(sample[:size].mean(), 1, "v", color=colour)
    left.axvline(MEAN, color="0.6", linewidth=1)
    left.annotate("true mean", (MEAN, 1.06), (4, 0), textcoords="offset points", color="0.4")
    left.set(xlabel=r"candidate mean $\mu$", ylabel="likelihood / its largest value", ylim=(0, 1.12))
    left.set_title("one sample; triangles: its average", fontsize=10)
    left.legend()
    right.loglog(SIZES, errors, "o", color="C0", label="average (maximum likelihood)")
    right.loglog(SIZES, median_errors, "s", color="C1", mfc="none", label="median")
    right.loglog(SIZES, SIGMA / np.sqrt(SIZES), "-", color="0.4", label=r"$\sigma / \sqrt{N}$")
    right.set(xlabel="observations N", ylabel="root mean squared error")
    right.set_title(f"{REPETITIONS:,} repetitions", fontsize=10)
    right.legend()
    return figure
