"""FCN-16s: the heat map of FCN-32s, doubled and added to scores of the map before, is upsampled by 16.

Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation, section 4.2. The paper starts
it from a trained FCN-32s (`--init-from fcn32s`), with the learning rate divided by 100. Deviations stand in
`ann_keras.models.segmentation.fcn`.

Run it with `ann run fcn16s`.
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
    coarse = fcn.fuse(coarse, pools["pool4"], "pool4", "upscore2")
    return keras.Model(inputs, fcn.upsample(coarse, 16, image), name="fcn16s")
