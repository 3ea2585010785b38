"""FCN-32s: a fully convolutional classifier whose heat map, 1/32 of the image's size, is upsampled in one step.

Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation, section 4.1. Deviations stand
in `ann_keras.models.segmentation.fcn`.

Run it with `ann run fcn32s`.
"""

from __future__ import annotations

from typing import Any

import keras

from ann_keras.models.segmentation import fcn
from ann_keras.task import Feature

TASKS = ("semantic_segmentation",)
Config, TINY, TRAINING, heat_map = fcn.Config, fcn.TINY, fcn.TRAINING, fcn.heat_map


def build(config: fcn.Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels], of any size.
        outputs: logits, float32 [batch, height, width, classes].
    """
    image, classes = inputs["image"], int(outputs.shape[-1] or 0)
    pools = fcn.backbone(config, image)
    coarse = fcn.score(config, pools["pool5"], classes)
    return keras.Model(inputs, fcn.upsample(coarse, 32, image), name="fcn32s")
