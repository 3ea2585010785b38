"""FCN-8s: the heat map of FCN-16s, doubled and added to scores of a finer map still, is upsampled by 8.

Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation, section 4.2. The paper starts
it from a trained FCN-16s (`--init-from fcn16s`). Deviations stand in `ann_keras.models.segmentation.fcn`.

Run it with `ann run fcn8s`.
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
    coarse = fcn.fuse(coarse, pools["pool3"], "pool3", "upscore_pool4")
    return keras.Model(inputs, fcn.upsample(coarse, 8, image), name="fcn8s")
