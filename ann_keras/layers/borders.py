"""Where an image ends: mirrored outwards before a network, and cropped again behind it.

Both work for images of any size, also of one that is known at run time alone.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.layers.windows import Window

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("ann_keras")
class MirrorPadding(keras.layers.Layer):
    """Mirrors the image outwards at its borders, the outermost pixels not repeated (Ronneberger et al. 2015, U-Net,
    section 2).

    Each side grows by `margin` pixels, and the bottom and right by as many more as make height and width a multiple of
    `multiple`: h pixels become ceil((h + 2 margin) / multiple) multiple. A margin that the image is too small for is
    mirrored again at the far border, and so on: for n pixels position i is pixel min(j, 2n - 2 - j) with
    j = i mod (2n - 2). A single pixel is repeated.

    Args:
        margin: pixels on each side.
        multiple: of the height and width of the result.
        **kwargs: further arguments of `keras.layers.Layer`: name, dtype.

    Raises:
        ValueError: for a margin below 0 or a multiple below 1.
    """

    def __init__(self, margin: int, multiple: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if margin < 0:
            raise ValueError(f"margin={margin}: expected at least 0")
        if multiple < 1:
            raise ValueError(f"multiple={multiple}: expected at least 1")
        self.margin, self.multiple = int(margin), int(multiple)

    def call(self, inputs: Any) -> Any:
        """float [batch, height, width, channels] -> the same with more rows and columns."""
        margins = [(self.margin, self._total(size) - size - self.margin) for size in ops.shape(inputs)[1:3]]
        if all(isinstance(after, int) and before == after == 0 for before, after in margins):
            return inputs
        if self._mirrored_once(inputs.shape[1:3]):
            return ops.pad(inputs, [(0, 0), *margins, (0, 0)], mode="reflect")
        for axis in (1, 2):
            size = ops.shape(inputs)[axis]
            inputs = ops.take(inputs, mirrored(self.margin, self._total(size), size), axis=axis)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Height and width with their margins."""
        batch, height, width, channels = input_shape
        totals = [None if size is None else self._total(size) for size in (height, width)]
        return batch, totals[0], totals[1], channels

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "margin": self.margin, "multiple": self.multiple}

    def reach(self, axis: int, sizes: list[int | None]) -> Window:
        """A shift; a mirrored pixel of an image is nearer than the one that it stands for."""
        return Window(1, 1, (self.margin, self.margin), mirrors=self.margin > 0 or self.multiple > 1)

    def _total(self, size: Any) -> Any:
        return (size + 2 * self.margin + self.multiple - 1) // self.multiple * self.multiple

    def _mirrored_once(self, sizes: Shape) -> bool:
        """Whether it is known beforehand that no pixel is mirrored at both borders."""
        return all(size is not None and self._total(size) - size - self.margin < size for size in sizes)


def mirrored(margin: int, total: Any, size: Any) -> Any:
    """Which pixels a mirrored line reads.

    Args:
        margin: positions before the first pixel.
        total: positions of the mirrored line.
        size: pixels of the line, at least 1.

    Returns:
        int32 [total], 0 <= index < size.
    """
    positions = ops.arange(total, dtype="int32") - margin
    period = ops.maximum(ops.cast(2 * size - 2, "int32"), 1)
    forwards = ops.mod(positions, period)
    return ops.minimum(forwards, period - forwards)


class _Crop(keras.layers.Layer):
    """Cuts its first input to the height and width of its second, whose values it does not read."""

    valued_inputs = 1

    def call(self, inputs: list[Any]) -> Any:
        """Crops.

        Args:
            inputs: float [batch, height, width, channels], and a reference, [batch, less height, less width, ...].

        Returns:
            float [batch, height and width of the reference, channels].
        """
        x, reference = inputs
        (top, height), (left, width) = (
            (self._start(size, kept), kept)
            for size, kept in zip(ops.shape(x)[1:3], ops.shape(reference)[1:3], strict=True)
        )
        return x[:, top : top + height, left : left + width]

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """The first shape with height and width of the second.

        Raises:
            ValueError: where the first is known to be too small.
        """
        shape, reference = input_shape
        for size, kept in zip(shape[1:3], reference[1:3], strict=True):
            if size is not None and kept is not None and not 0 <= self._start(size, kept) <= size - kept:
                raise ValueError(f"{self.name}: {kept} pixels do not fit into {size}: {self._expected(kept)}")
        return shape[0], reference[1], reference[2], shape[3]

    def reach(self, axis: int, sizes: list[int | None]) -> Window:
        """A shift by where the crop starts."""
        start = self._start(sizes[0], sizes[1])
        return Window(1, 1, (-start, -start))

    def _start(self, size: Any, kept: Any) -> Any:
        """The first row or column that is kept."""
        raise NotImplementedError

    def _expected(self, kept: int) -> str:
        """What size would do."""
        return f"expected at least {kept}"


@keras.saving.register_keras_serializable("ann_keras")
class CropLike(_Crop):
    """Crops to the height and width of a reference, from a fixed row and column on: undoes `MirrorPadding`.

    Args:
        margin: the first row and column that is kept.
        **kwargs: further arguments of `keras.layers.Layer`: name, dtype.

    Raises:
        ValueError: for a margin below 0.
    """

    def __init__(self, margin: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if margin < 0:
            raise ValueError(f"margin={margin}: expected at least 0")
        self.margin = int(margin)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "margin": self.margin}

    def _start(self, size: Any, kept: Any) -> Any:
        return self.margin

    def _expected(self, kept: int) -> str:
        return f"expected at least {self.margin} + {kept}"


@keras.saving.register_keras_serializable("ann_keras")
class CentreCrop(_Crop):
    """Crops to the height and width of a reference, about the centre: (height - kept) // 2 rows go at the top and the
    rest at the bottom (the "crop" of Ronneberger et al. 2015, U-Net, section 2).
    """

    def _start(self, size: Any, kept: Any) -> Any:
        return (size - kept) // 2
