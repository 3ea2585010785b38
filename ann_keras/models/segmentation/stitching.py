"""Shift-and-stitch: the coarse answers of a network with poolings, for every pixel, without upsampling.

Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation, section 3.2: the net answers
all shifts of the image by less than its stride, and the answers are interlaced so that each stands at the centre of its
receptive field. This equals the net without strides whose kernels are dilated instead (their a trous algorithm), away
from the borders, for factor^2 times the work of one answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ann_keras.layers.borders import mirrored


def shift_and_stitch(heat_map: Callable[[Any], Any], image: Any, factor: int) -> Any:
    """The dense answers of a coarse network.

    The answer at a pixel is that for the `factor` x `factor` pixels from factor // 2 before it on: the pixel is their
    centre, half a pixel late where `factor` is even. The image is mirrored outwards for that. Beyond the mirrored
    pixels the net sees its own padding, which moves with the shift: nearer to a border than the net looks around (the
    margin of its receptive field), answers differ from a dense evaluation.

    One shift is answered at a time, so that the memory is that of one coarse answer and twice the dense one.

    Args:
        heat_map: float32 [batch, height, width, channels], sides multiples of `factor` -> float32 [batch, at least
            height / factor, at least width / factor, classes].
        image: float32 [batch, height, width, channels], of any size, which may be known at run time alone.
        factor: the net's stride in pixels.

    Returns:
        float32 [batch, height, width, classes].

    Raises:
        ValueError: for a factor below 1.
    """
    if factor < 1:
        raise ValueError(f"factor={factor}: expected at least 1, the stride of the net in pixels")
    image = tf.convert_to_tensor(image)
    height, width = tf.shape(image)[1], tf.shape(image)[2]
    rows, columns = -(-height // factor), -(-width // factor)
    before = factor // 2
    # The last shift reads to factor - 1 pixels beyond the whole blocks.
    down = mirrored(before, rows * factor + factor - 1, height)
    across = mirrored(before, columns * factor + factor - 1, width)
    framed = tf.gather(tf.gather(image, down, axis=1), across, axis=2)

    def answer(shift: Any) -> Any:
        top, left = shift // factor, shift % factor
        shifted = framed[:, top : top + rows * factor, left : left + columns * factor]
        return heat_map(shifted)[:, :rows, :columns]

    answers = tf.map_fn(answer, tf.range(factor * factor), fn_output_signature=tf.float32, parallel_iterations=1)
    batch, classes = tf.shape(answers)[1], answers.shape[-1]
    answers = tf.reshape(answers, (factor, factor, batch, rows, columns, classes))
    stitched = tf.transpose(answers, (2, 3, 0, 4, 1, 5))
    stitched = tf.reshape(stitched, (batch, rows * factor, columns * factor, classes))
    return stitched[:, :height, :width]
