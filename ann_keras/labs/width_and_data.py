"""Fits a noisy sine with networks from narrow to wide, on few and on many examples.

Too narrow a network cannot follow the function, however many examples it sees: training and test error are both high
(underfitting). One that is wide for its examples follows their noise too: training error falls below the noise and test
error rises (overfitting), and more examples mend that (Geman, Bienenstock and Doursat 1992, Neural networks and the
bias/variance dilemma; Bishop 2006, Pattern Recognition and Machine Learning, section 1.1).

Run it with `ann lab width_and_data`.
"""

from __future__ import annotations

import matplotlib.figure
import numpy as np

from ann_keras.labs import lab, networks, toy

CLAIM = "Too narrow a network underfits whatever the data; too wide a one overfits few examples, and less so many."
EQUATION = (
    r"E \left[ (t - g(x))^2 \right] = \sigma^2 + \left( E[g(x)] - f(x) \right)^2 "
    r"+ E \left[ (g(x) - E[g(x)])^2 \right]"
)

WIDTHS = (1, 2, 4, 8, 16, 32)
ROWS = (15, 80, 320)
COPIES = 20
"""Data sets of each size, each with a network of its own of each width."""
NOISE = 0.5
STEEPEST = 10.0
STEPS, RATE = 1_000, 0.05
TEST_ROWS = 1_000


def errors(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Mean squared errors of networks trained on `rows` examples, [2, WIDTHS, COPIES]: on these, and on new ones."""
    (x, t), new = (_draw(rng, count) for count in (rows, TEST_ROWS))
    model = networks.build(WIDTHS, COPIES, STEEPEST)
    networks.train(model, x, t, STEPS, RATE)
    return np.array([measured(model.predict(a, batch_size=len(a), verbose=0), b) for a, b in ((x, t), new)])


def measured(answers: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Mean squared errors, [widths, copies], of answers, [rows, widths, copies], to targets, [rows, copies]."""
    found: np.ndarray = np.square(answers - t[:, None]).mean(axis=0)
    return found


def _draw(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of COPIES data sets, both [rows, COPIES]."""
    x, t = toy.sine(rng, rows * COPIES, NOISE)
    return x.reshape(rows, COPIES), t.reshape(rows, COPIES)


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    # Of heavy tails: a network that overfits can be far out between two examples, so the median of the data sets.
    found = {rows: np.median(errors(rng, rows), axis=2) for rows in ROWS}
    few, many, noise = found[ROWS[0]], found[ROWS[-1]], NOISE**2
    best, best_of_many = int(few[1].argmin()), int(many[1].argmin())
    gap_few, gap_many = float(few[1, -1] - few[0, -1]), float(many[1, -1] - many[0, -1])
    return lab.Result(
        checks={
            f"width 1 underfits: with {ROWS[-1]} examples both its errors stay over the noise by 0.04 or more": bool(
                many[:, 0].min() >= noise + 0.04
            ),
            f"width {WIDTHS[-1]} overfits {ROWS[0]} examples: its training error is under half the noise": bool(
                few[0, -1] < noise / 2
            ),
            "and its test error at least 1.2 times that of the best width": bool(few[1, -1] >= 1.2 * few[1, best]),
            "training error falls with every doubling of the width there": bool((np.diff(few[0]) < 0).all()),
            f"{ROWS[-1]} examples shrink the gap of width {WIDTHS[-1]} at least 5 times": gap_few >= 5 * gap_many,
            "and bring its test error within 1.2 times the noise, below that of width 1": bool(
                many[1, -1] <= min(1.2 * noise, many[1, 0])
            ),
            "the best width is larger with many examples than with few": best_of_many > best,
        },
        numbers={
            f"{which} error, width {width}, {rows} examples": float(both[row, WIDTHS.index(width)])
            for rows, both in found.items()
            for width in WIDTHS
            for row, which in enumerate(("training", "test"))
        },
        setting={
            "data": f"sin(pi x) under noise of variance {noise:.2f}",
            "examples": ROWS,
            "data sets of each size": COPIES,
            "widths": WIDTHS,
            "training": f"{STEPS:,} steps of Adam on all examples, from rate {RATE}",
        },
        seen=(
            f"With {ROWS[0]} examples width {WIDTHS[-1]} had a training error of {few[0, -1]:.3f}, below the noise's "
            f"{noise:.2f}, and a test error of {few[1, -1]:.2f}; the best width, {WIDTHS[best]}, one of "
            f"{few[1, best]:.2f}. With {ROWS[-1]} examples width {WIDTHS[-1]} came to {many[1, -1]:.3f} and width 1 "
            f"stayed at {many[1, 0]:.3f}, {many[0, 0]:.3f} in training."
        ),
        figure=_figure(found),
    )


def _figure(found: dict[int, np.ndarray]) -> matplotlib.figure.Figure:
    figure = lab.figure(10.0)
    panels = figure.subplots(1, len(ROWS), sharey=True)
    for axes, (rows, (training, test)) in zip(panels, found.items(), strict=True):
        axes.semilogx(WIDTHS, test, "s-", color="C1", label="test")
        axes.semilogx(WIDTHS, training, "o-", color="C0", label="training")
        axes.axhline(NOISE**2, color="0.5", linewidth=1, label="noise")
        axes.set(xlabel="hidden units", title=f"{rows} examples", ylim=(0, None))
        axes.set_xticks(WIDTHS, labels=map(str, WIDTHS))
        axes.minorticks_off()
    panels[0].set_ylabel("mean squared error, median of data sets")
    panels[0].legend()
    return figure
