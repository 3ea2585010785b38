"""`ann fit`: plain Keras, without TFX, and the same preprocessing and metrics as the pipeline."""

from pathlib import Path

import keras
import pytest

from ann_keras import data, registry, training
from serving.client import Client, encode
from serving.process import ModelServer
from tests.pipelines.conftest import FEW, Ann, Finished


@pytest.mark.slow
def test_the_document_and_what_is_kept(ann: Ann, digit: Path, tmp_path: Path) -> None:
    answer = ann("fit", "lenet5", *FEW, "--seed", 0, "--out", tmp_path, "--json")
    assert answer.code == 0, answer.err
    found = answer.document
    assert found["model"] == "lenet5" and found["dataset"] == "digits" and found["task"] == "image_classification"
    assert found["blessed"] is True and found["report"] is None and found["reused"] == []
    assert set(found["metrics"]) == {"train", "eval", "test"}
    assert set(found["seconds"]) == {"data", "fit", "test", "export"}
    assert Path(found["serving_dir"]) == tmp_path / "serving" / "lenet5" / found["version"]
    assert (Path(found["serving_dir"]) / "assets.extra/tf_serving_warmup_requests").stat().st_size > 0
    assert not list(tmp_path.glob("checkpoints/*")), "what is saved needs no checkpoint"
    triple = registry.resolve("lenet5")  # imports the layers that the file names
    model, splits = keras.saving.load_model(tmp_path / "model.keras"), data.load(triple)
    again = model.evaluate(splits.test.batches(64), verbose=0, return_dict=True)
    assert again["accuracy"] == pytest.approx(found["metrics"]["test"]["accuracy"])
    with (
        ModelServer({"lenet5": tmp_path / "serving" / "lenet5"}) as server,
        Client(server.rest_url, "lenet5") as client,
    ):
        request = encode(triple.task.features, [digit])
        assert client.predict(request)["label"][0] in "0123456789"


def test_metrics_are_those_of_the_pipeline(finished: Finished) -> None:
    """The pipeline's model on the script's preprocessing of the same split has the figures that the Evaluator found."""
    (path,) = finished.root.glob("pipelines/lenet5/Trainer/model/*/model.keras")
    splits = data.load(registry.resolve("lenet5"))
    measured = training.evaluate(keras.saving.load_model(path), splits.test, 64)
    told = finished.document["metrics"]["test"]
    assert set(told) <= set(measured)
    for name, value in told.items():
        assert measured[name] == pytest.approx(value, abs=1e-4), name
