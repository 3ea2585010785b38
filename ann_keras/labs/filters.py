"""Looks for a letter in a noisy, unevenly lit scene by correlation, by convolution, and by normalised correlation.

Correlation lays a filter over every place of an image and sums the products; convolution does so with the filter turned
by 180 degrees. Plain correlation finds a template wherever the image is bright, since the sum grows with the pixels
under it, whatever they show; with the mean taken off the template it still prefers any edge of high contrast to a faint
letter. Normalised cross-correlation also divides by the deviation of the pixels, which bounds it by 1 and makes it
blind to brightness and contrast (Lewis 1995, Fast normalized cross-correlation).

Run it with `ann lab filters`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from ann_keras.labs import lab

CLAIM = (
    "Convolution is correlation with the flipped filter; a template is found by correlation only once it is normalised."
)
EQUATION = (
    r"(I \otimes h)(r, c) = \sum_{u=-L}^{L} \;\; \sum_{v=-L}^{L} \; h(u, v) \, I(r + u, c + v), \quad "
    r"(I * h)(r, c) = \sum_{u, v} \; h(u, v) \, I(r - u, c - v)"
)

LETTER = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=np.float64,
)
"""A T of light 1 on a ground of 0."""
SIDE, LETTERS, SCENES = 48, 4, 100
LAMP, PLATE, CONTRAST, NOISE = 0.6, 1.0, (0.15, 0.4), 0.02
"""Brightness added by a lamp at its middle and by a plate, contrast of a letter, standard deviation of the noise."""

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def correlate(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Correlates an image with a filter wherever the whole filter lies on the image.

    Args:
        image: float64 [height, width].
        template: float64 [rows, columns], no larger than the image.

    Returns:
        float64 [height - rows + 1, width - columns + 1].
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, template.shape)
    return np.einsum("rcuv,uv->rc", windows, template)


def convolve(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Convolves; arguments and shape as of `correlate`, the filter indexed from the window's far corner."""
    rows, columns = template.shape
    height, width = image.shape[0] - rows + 1, image.shape[1] - columns + 1
    answer = np.zeros((height, width))
    for u in range(rows):
        for v in range(columns):
            bottom, right = rows - 1 - u, columns - 1 - v
            answer += template[u, v] * image[bottom : bottom + height, right : right + width]
    return answer


def correlate_normalised(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    """The correlation coefficient of the filter and the pixels under it, in [-1, 1]; 0 where either is constant.

    Arguments and shape as of `correlate`.
    """
    centred = template - template.mean()
    windows = np.lib.stride_tricks.sliding_window_view(image, template.shape)
    lengths = np.sqrt(template.size) * windows.std(axis=(2, 3)) * np.linalg.norm(centred)
    # The mean of the pixels drops out, since the centred filter sums to 0.
    products = correlate(image, centred)
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 1e-9)


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Draws letters of different contrast on a ground with a bright plate, which a lamp lights in one place.

    Returns:
        The scene, float64 [SIDE, SIDE] in about [0, 1.8], and the (row, column) of each letter's upper left corner.
    """
    size = len(LETTER)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    lamp = rng.uniform(0.25 * SIDE, 0.75 * SIDE, 2)
    distance = np.square(rows - lamp[0]) + np.square(columns - lamp[1])
    scene = 0.1 + LAMP * np.exp(-distance / (2 * 8.0**2))
    # One thing a tile of a grid, so that none hides another.
    tile = SIDE // 3
    plate, *others = (divmod(int(number), 3) for number in rng.choice(9, 1 + LETTERS, replace=False))
    top, left = (tile * part + 2 for part in plate)
    scene[top : top + tile - 4, left : left + tile - 4] += PLATE
    places = []
    for place in others:
        row, column = (tile * part + int(rng.integers(tile - size + 1)) for part in place)
        scene[row : row + size, column : column + size] += rng.uniform(*CONTRAST) * LETTER
        places.append((row, column))
    return scene + rng.normal(0, NOISE, scene.shape), places


def peaks(answer: np.ndarray, count: int, size: int) -> list[tuple[int, int]]:
    """The `count` places of the largest answers, none nearer than `size` in both directions to a larger one."""
    left, found = answer.copy(), []
    for _ in range(count):
        row, column = (int(place) for place in np.unravel_index(left.argmax(), left.shape))
        found.append((row, column))
        left[max(0, row - size + 1) : row + size, max(0, column - size + 1) : column + size] = -np.inf
    return found


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    scenes = [draw_scene(rng) for _ in range(SCENES)]
    methods: dict[str, Method] = {
        "correlation": correlate,
        "correlation with the mean taken off the template": _correlate_centred,
        "normalised correlation": correlate_normalised,
    }
    found = {name: _share_found(method, scenes) for name, method in methods.items()}
    brightness = np.mean([_brightness_correlation(scene) for scene, _ in scenes])
    image, places = scenes[0]
    relit = np.abs(correlate_normalised(3 * image + 5, LETTER) - correlate_normalised(image, LETTER)).max()
    flip = np.abs(convolve(image, LETTER[::-1, ::-1]) - correlate(image, LETTER)).max()
    unflipped = np.abs(convolve(image, LETTER) - correlate(image, LETTER)).max()
    layer = np.abs(_conv2d(image, LETTER) - correlate(image, LETTER)).max()
    plain, centred, normalised = found.values()
    return lab.Result(
        checks={
            "convolution with the flipped template is correlation to 1e-12": bool(flip < 1e-12),
            "without the flip the two differ by more than 0.1": bool(unflipped > 0.1),
            "Keras's Conv2D answers with the correlation to 1e-5": bool(layer < 1e-5),
            "correlation finds at most half of the letters": plain <= 0.5,
            "with the mean taken off the template it finds at most 80 % of them": centred <= 0.8,
            "normalised correlation finds at least 95 % of them": normalised >= 0.95,
            "it answers the same, to 1e-9, on 3 times the contrast and 5 more brightness": bool(relit < 1e-9),
        },
        numbers={
            **{f"share of letters found by {name}": share for name, share in found.items()},
            "correlation coefficient of plain correlation and the brightness under the template": float(brightness),
            "largest difference of correlation and convolution with the flipped template": flip,
            "largest difference of correlation and convolution with the template as it is": unflipped,
            "largest difference of correlation and Conv2D": layer,
            "largest change of normalised correlation with the light": relit,
        },
        setting={
            "scenes": f"{SCENES} of {SIDE} x {SIDE} pixels, with {LETTERS} letters each",
            "template": f"a T, {LETTER.shape[0]} x {LETTER.shape[1]} pixels",
            "contrast of a letter": CONTRAST,
            "brightness of lamp and plate": (LAMP, PLATE),
            "noise": NOISE,
            "found": f"at exactly the place of one of the {LETTERS} largest answers",
        },
        seen=(
            f"Plain correlation found {plain:.0%} of the letters: its answer follows the brightness under the "
            f"template (correlation coefficient {brightness:.2f}). With the mean taken off the template it found "
            f"{centred:.0%}, misled by the edges of the plate. Normalised correlation found {normalised:.1%}, and "
            f"other light does not change it. Convolution equals correlation only with the flipped template, and "
            f"what Keras calls convolution is correlation."
        ),
        figure=_figure(image, places),
    )


def _correlate_centred(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    return correlate(image, template - template.mean())


def _share_found(method: Method, scenes: list[tuple[np.ndarray, list[tuple[int, int]]]]) -> float:
    hits = [set(peaks(method(scene, LETTER), LETTERS, len(LETTER))) & set(places) for scene, places in scenes]
    return sum(map(len, hits)) / (LETTERS * len(scenes))


def _brightness_correlation(scene: np.ndarray) -> float:
    """How far plain correlation follows the mean of the pixels under the template."""
    brightness = correlate(scene, np.full(LETTER.shape, 1 / LETTER.size))
    return float(np.corrcoef(brightness.ravel(), correlate(scene, LETTER).ravel())[0, 1])


def _conv2d(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    layer = keras.layers.Conv2D(1, template.shape, use_bias=False)
    layer.build((None, *image.shape, 1))
    layer.set_weights([template[..., None, None]])
    return keras.ops.convert_to_numpy(layer(image[None, ..., None].astype("float32")))[0, ..., 0]


def _figure(image: np.ndarray, places: list[tuple[int, int]]) -> lab.matplotlib.figure.Figure:
    figure = lab.figure(9.6, 3.3)
    axes = figure.subplots(1, 5, width_ratios=(1, 3, 3, 3, 3))
    axes[0].imshow(LETTER, cmap="gray")
    axes[0].set_title("template", fontsize=10)
    axes[1].set_title("scene", fontsize=10)
    figure.colorbar(axes[1].imshow(image, cmap="gray"), ax=axes[1], location="bottom", pad=0.02)
    middle = (len(LETTER) - 1) / 2
    answers = {
        "correlation": correlate(image, LETTER),
        "the template's mean off": _correlate_centred(image, LETTER),
        "normalised correlation": correlate_normalised(image, LETTER),
    }
    for panel, (title, answer) in zip(axes[2:], answers.items(), strict=True):
        # An answer belongs to the middle of the template.
        extent = (middle - 0.5, middle + answer.shape[1] - 0.5, middle + answer.shape[0] - 0.5, middle - 0.5)
        drawn = panel.imshow(answer, cmap="viridis", extent=extent)
        figure.colorbar(drawn, ax=panel, location="bottom", pad=0.02)
        panel.set_title(title, fontsize=10)
        found = np.array(peaks(answer, LETTERS, len(LETTER))) + middle
        panel.plot(found[:, 1], found[:, 0], "x", color="C3", markersize=8, markeredgewidth=2, label="largest answers")
    true = np.array(places) + middle
    for panel in axes[1:]:
        panel.plot(true[:, 1], true[:, 0], "o", mfc="none", mec="C1", ms=17, mew=1.8, label="a letter is here")
        panel.set(xlim=(-0.5, SIDE - 0.5), ylim=(SIDE - 0.5, -0.5))
    for panel in axes:
        panel.set_xticks([])
        panel.set_yticks([])
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
