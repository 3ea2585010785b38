"""Gives overlapping and separable clouds to the perceptron and to logistic regression, and watches their boundaries.

The perceptron's rule changes its weights with every misclassified example. On separable data it makes at most
(R / gamma)^2 mistakes, R the length of the longest example and gamma its margin (Novikoff 1962, On convergence proofs
on perceptrons); on overlapping data it always finds another one. The cross-entropy of logistic regression is convex,
so that gradient descent comes to rest in its minimum (Bishop 2006, Pattern Recognition and Machine Learning, section
4.3.3), which exists where the classes overlap; where they do not, its weights grow without end while the boundary
settles (Soudry et al. 2018, The implicit bias of gradient descent on separable data).

Run it with `ann lab perceptron_or_logistic`.
"""

from __future__ import annotations

import matplotlib.axes
import matplotlib.figure
import numpy as np

from ann_keras.labs import lab, toy

CLAIM = "On overlapping classes the perceptron never settles and logistic regression does; on separable ones both end."
EQUATION = (
    r"w \leftarrow w + \eta \, t_i x_i \;\; (t_i \, w^T x_i \leq 0) \qquad "
    r"w \leftarrow w - \eta \, \frac{1}{N} \sum_i \left( \sigma(w^T x_i) - t_i \right) x_i"
)

REPETITIONS = 20
ROWS, TEST_ROWS = 200, 5_000
DISTANCE, MARGIN = 2.5, 0.05
PASSES, LATE = 300, 100
"""Passes over the data, and the last of them, in which a boundary should have come to rest."""
RATE = 1.0


def perceptron_pass(weights: np.ndarray, features: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shows every example once, in order, and changes the weights after each mistake.

    Args:
        weights: float64 [repetitions, units].
        features: float64 [repetitions, rows, units].
        signs: [repetitions, rows], -1 or +1.

    Returns:
        The weights, float64 [repetitions, units], and the number of mistakes, int64 [repetitions].
    """
    mistakes = np.zeros(len(weights), np.int64)
    for row in range(features.shape[1]):
        x, t = features[:, row], signs[:, row]
        wrong = t * (weights * x).sum(axis=1) <= 0
        weights = weights + RATE * (wrong * t)[:, None] * x
        mistakes += wrong
    return weights, mistakes


def logistic_pass(weights: np.ndarray, features: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """One step of gradient descent on the cross-entropy; arguments and answer as of `perceptron_pass`."""
    # The gradient of log(1 + exp(-t a)) in a is -t / (1 + exp(t a)).
    logits = (features @ weights[:, :, None])[:, :, 0]
    slopes = -signs / (1 + np.exp(signs * logits))
    return weights - RATE * (slopes[:, :, None] * features).mean(axis=1)


def turn(course: np.ndarray) -> np.ndarray:
    """The angle in degrees, [passes - 1, repetitions], between the boundaries of successive passes.

    Args:
        course: float64 [passes, repetitions, 3]: two weights and the bias.
    """
    angles = np.arctan2(course[..., 1], course[..., 0])
    change = np.diff(angles, axis=0)
    turned: np.ndarray = np.degrees(np.abs((change + np.pi) % (2 * np.pi) - np.pi))
    return turned


def _train(features: np.ndarray, signs: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Both courses, [PASSES, repetitions, units], and the perceptron's mistakes, [PASSES, repetitions]."""
    zeros = np.zeros((len(features), features.shape[2]))
    weights = {"perceptron": zeros, "logistic regression": zeros}
    courses: dict[str, list[np.ndarray]] = {name: [] for name in weights}
    mistakes = []
    for _ in range(PASSES):
        weights["perceptron"], wrong = perceptron_pass(weights["perceptron"], features, signs)
        weights["logistic regression"] = logistic_pass(weights["logistic regression"], features, signs)
        mistakes.append(wrong)
        for name, value in weights.items():
            courses[name].append(value)
    return {name: np.array(course) for name, course in courses.items()}, np.array(mistakes)


def _draw(rng: np.random.Generator, rows: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Examples with a constant 1, [REPETITIONS, rows, 3], and signs, [REPETITIONS, rows]."""
    drawn = [toy.two_clouds(rng, rows, DISTANCE, margin=margin) for _ in range(REPETITIONS)]
    features = np.array([np.column_stack([x, np.ones(rows)]) for x, _ in drawn])
    return features, np.array([2 * labels - 1 for _, labels in drawn])


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    overlapping, separable = _draw(rng, ROWS, 0.0), _draw(rng, ROWS, MARGIN)
    test_features, test_signs = _draw(rng, TEST_ROWS, 0.0)
    courses, mistakes = _train(*overlapping)
    on_separable, separable_mistakes = _train(*separable)
    turned = {name: float(turn(course)[-LATE:].mean()) for name, course in courses.items()}
    errors = {name: _errors(course[-LATE:], test_features, test_signs) for name, course in courses.items()}
    mean = {name: float(found.mean()) for name, found in errors.items()}
    spread = {name: float(np.ptp(found, axis=0).mean()) for name, found in errors.items()}
    bound = np.square(separable[0]).sum(axis=2).max(axis=1) / MARGIN**2
    total = separable_mistakes.sum(axis=0)
    ended = PASSES - np.argmax(separable_mistakes[::-1] > 0, axis=0)
    settled = float(turn(on_separable["logistic regression"])[-LATE:].mean())
    return lab.Result(
        checks={
            "overlapping: the perceptron makes mistakes in every pass": bool(mistakes.min() > 0),
            f"and still turns by 3 degrees a pass or more in the last {LATE}": turned["perceptron"] >= 3,
            "logistic regression by at most 0.01": turned["logistic regression"] <= 0.01,
            "the perceptron's mean test error there is at least a point higher": bool(
                mean["perceptron"] >= mean["logistic regression"] + 0.01
            ),
            "separable: no perceptron makes a mistake in the last pass": bool(separable_mistakes[-1].max() == 0),
            "and none makes more mistakes than Novikoff's bound": bool((total <= bound).all()),
            "logistic regression turns by at most 0.1 degrees a pass there too": settled <= 0.1,
        },
        numbers={
            **{f"degrees a pass, overlapping, {name}": value for name, value in turned.items()},
            **{f"test error, overlapping, mean of the last {LATE} passes, {name}": mean[name] for name in mean},
            **{f"largest less smallest test error of these passes, {name}": spread[name] for name in spread},
            "fewest mistakes in a pass, overlapping": int(mistakes.min()),
            "most passes until the last mistake, separable": int(ended.max()),
            "most mistakes in all, separable": int(total.max()),
            "largest share of Novikoff's bound": float((total / bound).max()),
            "degrees a pass, separable, logistic regression": settled,
            "growth of the weights in the last passes, separable, logistic regression": _growth(
                on_separable["logistic regression"]
            ),
            "growth of the weights in the last passes, overlapping, logistic regression": _growth(
                courses["logistic regression"]
            ),
        },
        setting={
            "data": f"two clouds {DISTANCE} deviations apart; separable: with a margin of {MARGIN}",
            "rows": ROWS,
            "repetitions": REPETITIONS,
            "passes": PASSES,
            "rate": RATE,
        },
        seen=(
            f"On overlapping clouds the perceptron made {mistakes.min()} mistakes or more in every pass; in the last "
            f"{LATE} its boundary turned by {turned['perceptron']:.1f} degrees a pass, and its test error, "
            f"{mean['perceptron']:.1%} on average, moved by {spread['perceptron']:.1%}. Logistic regression turned by "
            f"{turned['logistic regression']:.0e} degrees, at {mean['logistic regression']:.1%}. On separable clouds "
            f"every perceptron was done after {ended.max()} passes and {total.max()} mistakes at most, "
            f"{(total / bound).max():.1%} of Novikoff's bound or less."
        ),
        figure=_figure(overlapping, courses, on_separable),
    )


def _errors(course: np.ndarray, features: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The share of wrong answers, [passes, repetitions]."""
    return np.array([(signs * (features @ weights[:, :, None])[:, :, 0] <= 0).mean(axis=1) for weights in course[::5]])


def _growth(course: np.ndarray) -> float:
    """By what the length of the weights is multiplied in the last LATE passes, on average."""
    lengths = np.linalg.norm(course, axis=2)
    return float((lengths[-1] / lengths[-LATE - 1]).mean())


def _figure(
    overlapping: tuple[np.ndarray, np.ndarray], courses: dict[str, np.ndarray], on_separable: dict[str, np.ndarray]
) -> matplotlib.figure.Figure:
    figure = lab.figure(9.5, 4.2)
    left, right = figure.subplots(1, 2)
    features, signs = overlapping[0][0], overlapping[1][0]
    for sign, marker, colour in ((-1, "o", "C0"), (1, "^", "C1")):
        chosen = features[signs == sign]
        left.plot(chosen[:, 0], chosen[:, 1], marker, color=colour, ms=4, alpha=0.6, mew=0)
    drawn = (("perceptron", "0.35", "--"), ("logistic regression", "C3", "-"))
    for name, colour, style in drawn:
        for number, weights in enumerate(courses[name][-8:, 0]):
            _line(left, weights, colour, style, name if number == 0 else None)
    left.set(xlabel=r"$x_1$", ylabel=r"$x_2$", xlim=(-4, 4), ylim=(-3.5, 4.6))
    left.set_title("one data set; boundaries after each of the last 8 passes", fontsize=10)
    left.legend(loc="upper center", ncols=2, fontsize=9)
    passes = np.arange(2, PASSES + 1)
    lines = {
        "perceptron, overlapping": (courses["perceptron"], "0.35", "-"),
        "logistic, overlapping": (courses["logistic regression"], "C3", "-"),
        "logistic, separable": (on_separable["logistic regression"], "C3", ":"),
        "perceptron, separable": (on_separable["perceptron"], "0.35", ":"),
    }
    for name, (course, colour, style) in lines.items():
        mean = turn(course).mean(axis=1)
        mean[mean < 1e-6] = np.nan  # at rest: no place on a logarithmic axis
        right.loglog(passes, mean, style, color=colour, label=name)
    right.set(xlabel="pass over the data", ylabel="turn of the boundary in degrees a pass")
    right.set_title(f"mean of {REPETITIONS} data sets; a line ends at rest", fontsize=10)
    right.legend(fontsize=9, loc="lower left")
    return figure


def _line(axes: matplotlib.axes.Axes, weights: np.ndarray, colour: str, style: str, label: str | None) -> None:
    """Draws w1 x1 + w2 x2 + w0 = 0 through its point nearest to the origin."""
    normal, square = weights[:2], float(weights[:2] @ weights[:2])
    nearest, along = -weights[2] * normal / square, np.array([-normal[1], normal[0]]) / np.sqrt(square)
    ends = np.array([nearest - 12 * along, nearest + 12 * along])
    axes.plot(ends[:, 0], ends[:, 1], style, color=colour, linewidth=1, label=label)
