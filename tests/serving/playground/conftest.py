"""Two served models: an mlp that knows the digits, and a SavedModel without a description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.process import ModelServer


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Their base paths."""
    import tensorflow as tf

    import keras

    from ann_keras import data, registry, training
    from serving.export import export

    folder = tmp_path_factory.mktemp("serving")
    triple = registry.resolve("mlp", overrides={"units": 128, "depth": 2})
    loaded = data.load(triple)
    keras.utils.set_random_seed(0)
    model = training.build(triple)
    model.compile("adam", **triple.task.compile_args())
    model.fit(loaded.train.batches(64).repeat(20), shuffle=False, verbose=0)
    export(triple, model, loaded.transform, folder / "mlp" / "1")

    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x / 2 + 2}

    half = Half()
    tf.saved_model.save(half, str(folder / "half" / "1"), signatures={"serving_default": half.__call__})
    return {"mlp": str(folder / "mlp"), "half": str(folder / "half")}


@pytest.fixture(scope="session")
def rest_url(models: dict[str, str]) -> Iterator[str]:
    """The REST address of a server of both."""
    with ModelServer(models, embedded=True) as server:
        yield server.rest_url


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Pictures and what they show."""
    from ann_keras.datasets.digits import DigitsShard

    folder = tmp_path_factory.mktemp("digits")
    found = []
    for number, row in enumerate(DigitsShard(0, 10).read()):
        path = folder / f"{number}.png"
        path.write_bytes(row.values["image"])
        found.append((path, str(row.values["label"])))
    return found
