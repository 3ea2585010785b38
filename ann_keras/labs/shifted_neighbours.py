"""Moves digits by one pixel and asks the nearest neighbours in pixels, and a small convolutional network, again.

The Euclidean distance compares each pixel with the one at the same place (Cover and Hart 1967, Nearest neighbor pattern
classification), so that an image and its shifted copy, one and the same to a person, lie far apart. Every image stands
in a frame of zeros that it may move in; nothing is cut off. A convolution of a shifted image is shifted as well, and a
maximum over all places forgets the shift (LeCun et al. 1998, Gradient-based learning applied to document recognition,
section II.A): the network, fitted to the same unshifted images, is the peer.

Run it with `ann lab shifted_neighbours`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from ann_keras.labs import lab

CLAIM = "A shift by one pixel, which a person hardly sees, breaks pixel-wise nearest neighbours, and less so a CNN."
EQUATION = (
    r"\hat{y} = y_{j^*}, \quad j^* = \arg\min_{i} \, \| x - x_i \|_2 "
    r"= \arg\min_{i} \, \sqrt{\sum_k \left( [x]_k - [x_i]_k \right)^2}"
)

MARGIN = 2
"""Zeros around each image, in pixels."""
SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""By one pixel: (down, right)."""
NEIGHBOURS = 3
EPOCHS, BATCH, RATE = 12, 64, 3e-3
TEST_FRACTION = 0.3

Answer = Callable[[np.ndarray], np.ndarray]
"""Images, float32 [rows, height, width] -> their classes, int [rows]."""


def shift(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moves images within their frames.

    Args:
        images: float [rows, height, width], with at least |down| and |right| zeros at the edges they move to.
        down, right: pixels.

    Returns:
        The same shape.

    Raises:
        ValueError: where something would leave the frame.
    """
    moved = np.roll(images, (down, right), axis=(1, 2))
    inner = np.zeros(images.shape[1:], dtype=bool)
    height, width = inner.shape
    inner[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)] = True
    if images[:, ~inner].any():
        raise ValueError(f"a shift by ({down}, {right}) moves a part of an image out of its frame")
    return moved


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    framed = np.pad(images.reshape(-1, 8, 8) / 16, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))).astype("float32")
    train, test, train_labels, test_labels = train_test_split(
        framed, labels, test_size=TEST_FRACTION, stratify=labels, random_state=seed
    )
    neighbours = KNeighborsClassifier(NEIGHBOURS).fit(_flat(train), train_labels)
    network = _fit(train, train_labels)
    classifiers: dict[str, Answer] = {
        "nearest neighbours": lambda some: neighbours.predict(_flat(some)),
        "CNN": lambda some: network.predict(some[..., None], verbose=0).argmax(axis=1),
    }
    still, moved, by_distance = {}, {}, {}
    for name, answer in classifiers.items():
        accuracies = {move: _accuracy(answer, test, test_labels, move) for move in ((0, 0), *SHIFTS, (0, 2), (0, -2))}
        still[name] = accuracies[0, 0]
        moved[name] = float(np.mean([accuracies[move] for move in SHIFTS]))
        by_distance[name] = [accuracies[0, right] for right in range(-MARGIN, MARGIN + 1)]
    own = float(np.mean([np.linalg.norm(_flat(test) - _flat(shift(test, *move)), axis=1) for move in SHIFTS]))
    other = _nearest_other(_flat(test), test_labels, _flat(train), train_labels)
    lost = {name: still[name] - moved[name] for name in classifiers}
    return lab.Result(
        checks={
            "unshifted, the nearest neighbours are right on at least 95 %": still["nearest neighbours"] >= 0.95,
            "shifted by one pixel, they lose at least 15 percentage points": lost["nearest neighbours"] >= 0.15,
            "the CNN loses at most half as much": lost["CNN"] <= lost["nearest neighbours"] / 2,
            "an image lies further from its shifted copy than from the nearest image of another class": own
            > float(other.mean()),
        },
        numbers={
            **{f"test accuracy of {name}, unshifted": value for name, value in still.items()},
            **{f"test accuracy of {name}, one pixel, mean of four directions": moved[name] for name in classifiers},
            "mean distance of an image and its shifted copy": own,
            "mean distance of an image and the nearest one of another class": float(other.mean()),
        },
        setting={
            "data": f"scikit-learn's digits, {len(train):,} to train, {len(test)} to test, {MARGIN} pixels of frame",
            "neighbours": NEIGHBOURS,
            "CNN": "two convolutions of 3 x 3 with 16 and 32 filters, the maximum over all places, a dense layer",
            "training": f"unshifted images alone; Adam, rate {RATE}, batches of {BATCH}, {EPOCHS} epochs",
        },
        seen=(
            f"One pixel took the nearest neighbours from {still['nearest neighbours']:.1%} to "
            f"{moved['nearest neighbours']:.1%}, and the CNN from {still['CNN']:.1%} to {moved['CNN']:.1%}. In pixels "
            f"an image lies {own:.2f} from its shifted copy, and only {other.mean():.2f} from the nearest image of "
            f"another class."
        ),
        figure=_figure(by_distance, test, train, test_labels, train_labels),
    )


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _accuracy(answer: Answer, images: np.ndarray, labels: np.ndarray, move: tuple[int, int]) -> float:
    return float((answer(shift(images, *move)) == labels).mean())


def _nearest_other(images: np.ndarray, labels: np.ndarray, stored: np.ndarray, stored_labels: np.ndarray) -> np.ndarray:
    """float [rows]: the distance of each image from the nearest stored one of another class."""
    distances = np.linalg.norm(images[:, None] - stored[None], axis=2)
    return np.where(labels[:, None] == stored_labels[None], np.inf, distances).min(axis=1)


def _fit(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    pixels = keras.Input((*images.shape[1:], 1))
    x = keras.layers.Conv2D(16, 3, activation="relu", padding="same")(pixels)
    x = keras.layers.Conv2D(32, 3, activation="relu", padding="same")(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss, jit_compile=False)
    model.fit(images[..., None], labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def _figure(
    by_distance: dict[str, list[float]],
    test: np.ndarray,
    train: np.ndarray,
    test_labels: np.ndarray,
    train_labels: np.ndarray,
) -> lab.matplotlib.figure.Figure:
    figure = lab.figure(9.6, 3.6)
    curves, *panels = figure.subplots(1, 4, width_ratios=(3, 1.4, 1.4, 1.4))
    shifts = range(-MARGIN, MARGIN + 1)
    for (name, accuracies), style in zip(by_distance.items(), ("o-", "s--"), strict=True):
        curves.plot(shifts, [100 * accuracy for accuracy in accuracies], style)
        # Beside the curve: the CNN's is level, the other's falls.
        place = (-MARGIN, 100 * accuracies[0] - 8) if name == "CNN" else (0, 40)
        curves.text(*place, name, color=curves.lines[-1].get_color(), ha="left" if name == "CNN" else "center")
    curves.axhline(10, color="0.6", linewidth=1)
    curves.annotate("guessing", (0, 10), (0, 4), textcoords="offset points", color="0.4", ha="center")
    curves.set(xlabel="shift to the right, pixels", ylabel="test accuracy, %", ylim=(0, 102), xticks=list(shifts))
    _example(panels, test, train, test_labels, train_labels)
    return figure


def _example(panels: list, test: np.ndarray, train: np.ndarray, labels: np.ndarray, train_labels: np.ndarray) -> None:
    """Draws the first test image that its shifted copy takes to another class, and the neighbour that does it."""
    moved = shift(test, 0, 1)
    distances = np.linalg.norm(_flat(moved)[:, None] - _flat(train)[None], axis=2)
    nearest = distances.argmin(axis=1)
    row = int(np.flatnonzero(train_labels[nearest] != labels)[0])
    own = np.linalg.norm(test[row] - moved[row])
    pictures = (
        (f"a {labels[row]}", test[row], ""),
        ("one pixel on", moved[row], f"{own:.2f} from it"),
        (
            f"its nearest: a {train_labels[nearest[row]]}",
            train[nearest[row]],
            f"{distances[row].min():.2f} from the shifted",
        ),
    )
    for panel, (title, picture, text) in zip(panels, pictures, strict=True):
        panel.imshow(picture, cmap="gray")
        panel.set_title(title, fontsize=10)
        panel.set_xlabel(text, fontsize=9)
        panel.set_xticks([])
        panel.set_yticks([])
