"""Validation by resampling as a component: leave-one-out, the bootstrap."""

import json

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact


class Validation(Artifact):
    """What a validation found: validation.json, the fields of `ann_keras.validation`'s answer."""

    TYPE_NAME = "ann_keras.Validation"


@component
def Resampler(  # noqa: N802 - a component's name
    validation: OutputArtifact[Validation], custom_config: Parameter[str], checkpoints: Parameter[str]
) -> None:
    """Fits and tests the triple on resamples of its dataset, outside an official test split.

    Args:
        validation: receives what was found.
        custom_config: JSON with the triple, the plan, the method and its count, the dataset's fingerprint and the
            digests of the sources.
        checkpoints: folder of unfinished work, where finished rounds are kept until all are.
    """
    import hashlib
    from pathlib import Path

    from ann_keras import training
    from ann_keras.datasets.splits import Plan
    from pipelines import entrypoints, files, resampling

    config = json.loads(custom_config)
    digest = hashlib.sha256(custom_config.encode()).hexdigest()[:16]
    # A container that is started again has another disk.
    rounds = None if files.is_remote(checkpoints) else Path(checkpoints) / f"validation-{digest}"
    method, count = config["resampling"]
    found = resampling.validate(entrypoints.triple(config), (method, count), Plan.from_dict(config["plan"]), rounds)
    with files.writing(validation.uri) as folder:
        (folder / resampling.VALIDATION_FILE).write_text(json.dumps(found, indent=1))
    training.discard(rounds)
