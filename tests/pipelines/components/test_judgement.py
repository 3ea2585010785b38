"""What stands between a trained model and its service: anomalies, the baseline, and the validation by serving."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.components import infra_validator
from pipelines.components.baseline import LatestOtherBlessedModel
from tests.pipelines.conftest import Finished


def artifact(kind: Any, number: int, uri: str = "", **properties: int) -> Any:
    made = kind()
    made.id, made.uri = number, uri
    for name, value in properties.items():
        made.set_int_custom_property(name, value)
    return made


class TestBaseline:
    """Which earlier model counts."""

    @pytest.fixture
    def model(self, tmp_path: Path) -> Any:
        from tfx.types.standard_artifacts import Model

        def make(number: int, dataset: str = "digits", classes: str = "01") -> Any:
            folder = tmp_path / str(number) / "Format-Serving" / "assets.extra"
            folder.mkdir(parents=True)
            described = {"dataset": dataset, "task": "image_classification", "classes": list(classes)}
            (folder / "ann_keras.json").write_text(json.dumps(described))
            return artifact(Model, number, str(tmp_path / str(number)))

        return make

    def resolve(
        self, candidate: Any, models: list[Any], blessed: list[int], refused: tuple[int, ...] = ()
    ) -> list[int]:
        from tfx.types.standard_artifacts import ModelBlessing

        blessings = [
            artifact(ModelBlessing, 100 + order, blessed=int(number not in refused), current_model_id=number)
            for order, number in enumerate(blessed)
        ]
        given = {"model": models, "model_blessing": blessings, "candidate": [candidate]}
        found = LatestOtherBlessedModel().resolve_artifacts(None, given)
        # TFX looks every key of the input up in the answer.
        assert set(found) == set(given) and found["candidate"] == [candidate]
        assert len(found["model"]) == len(found["model_blessing"]) <= 1
        return [one.id for one in found["model"]]

    def test_none_at_first(self, model: Any) -> None:
        candidate = model(1)
        assert self.resolve(candidate, [candidate], []) == []
        assert self.resolve(candidate, [candidate], [1]) == []

    def test_the_one_that_was_blessed_last(self, model: Any) -> None:
        models = [model(number) for number in (1, 2, 3, 4)]
        assert self.resolve(models[3], models, [1, 2, 3]) == [3]
        assert self.resolve(models[3], models, [2, 3, 1]) == [1]
        assert self.resolve(models[3], models, [1, 2, 3], refused=(3,)) == [2]

    def test_another_question_or_missing_files_do_not_count(self, model: Any) -> None:
        models = [model(1), model(2, dataset="images:cats"), model(3, classes="012"), model(4), model(5)]
        shutil.rmtree(models[3].uri)
        assert self.resolve(models[4], models, [1, 2, 3, 4]) == [1]


class TestValidation:
    """Anomalies fail the run."""

    def run(self, schema: Any, statistics: Any, tmp_path: Path) -> None:
        import tensorflow_data_validation as tfdv
        from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema

        from pipelines.components.validation import StrictExecutor

        found, described, anomalies = ExampleStatistics(), Schema(), ExampleAnomalies()
        for one, name in ((found, "statistics"), (described, "schema"), (anomalies, "anomalies")):
            one.uri = str(tmp_path / name)
        found.split_names = '["train"]'
        found.set_json_value_custom_property("stats_dashboard_link", "")
        found.span = 0
        (tmp_path / "statistics" / "Split-train").mkdir(parents=True)
        (tmp_path / "schema").mkdir()
        tfdv.write_schema_text(schema, str(tmp_path / "schema" / "schema.pbtxt"))
        path = tmp_path / "statistics" / "Split-train" / "FeatureStats.pb"
        path.write_bytes(statistics.SerializeToString())
        StrictExecutor().Do(
            {"statistics": [found], "schema": [described]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"}
        )

    def statistics(self, label: int, missing: int = 0) -> Any:
        from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

        everything = pb.DatasetFeatureStatisticsList()
        split = everything.datasets.add(num_examples=10)
        for name, kind in (("image", pb.FeatureNameStatistics.STRING), ("label", pb.FeatureNameStatistics.INT)):
            feature = split.features.add(type=kind)
            feature.path.step.append(name)
            common = feature.string_stats.common_stats if name == "image" else feature.num_stats.common_stats
            common.num_non_missing, common.num_missing = 10 - missing, missing
            common.min_num_values = common.max_num_values = 1
            common.tot_num_values = 10 - missing
            if name == "label":
                feature.num_stats.min, feature.num_stats.max = 0, label
        return everything

    def schema(self) -> Any:
        from ann_keras import registry
        from pipelines import schema

        return schema.schema(registry.resolve("linear").task)

    def test_data_that_matches(self, tmp_path: Path) -> None:
        self.run(self.schema(), self.statistics(label=9), tmp_path)

    def test_each_anomaly_names_split_feature_and_reason(self, tmp_path: Path) -> None:
        from pipelines.components.validation import AnomalyError

        with pytest.raises(AnomalyError, match="train: feature 'label': Out-of-range") as found:
            self.run(self.schema(), self.statistics(label=12), tmp_path)
        assert "\n" not in str(found.value) and "image" not in str(found.value)

    def test_missing_values(self, tmp_path: Path) -> None:
        from pipelines.components.validation import AnomalyError

        with pytest.raises(AnomalyError) as found:
            self.run(self.schema(), self.statistics(label=9, missing=4), tmp_path)
        assert "feature 'image'" in str(found.value) and "feature 'label'" in str(found.value)


class TestServing:
    """The server's answers against the trainer's."""

    EXPECTED = {"label": np.array(["a", "b"]), "probabilities": np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)}

    def problems(self, **answer: Any) -> list[str]:
        given = {"label": ["a", "b"], "probabilities": [[0.9, 0.1], [0.2, 0.8]], **answer}
        return infra_validator.differences({n: v for n, v in given.items() if v is not None}, self.EXPECTED)

    def test_each_kind_of_difference(self) -> None:
        assert self.problems() == []
        assert self.problems(probabilities=[[0.90001, 0.1], [0.2, 0.8]]) == []
        assert self.problems(extra=[1, 2]) == []
        assert self.problems(label=["b", "b"]) == []  # the probabilities tell
        assert self.problems(label=None) == ["label is missing"]
        assert self.problems(label=["a"]) == ["label has shape (1,), the trainer's (2,)"]
        assert self.problems(probabilities=[[0.9, 0.1], [0.4, 0.6]]) == [
            "probabilities differs from the trainer's by 0.2"
        ]
        assert self.problems(probabilities=[[float("nan"), 0.1], [0.2, 0.8]]) == [
            "probabilities differs from the trainer's by nan"
        ]

    def test_texts_are_the_trainers_to_the_letter(self) -> None:
        said = np.array([base64.b64encode(text.encode()) for text in ("der Mann", "")])
        expected = {"translation": said, "candidates": said, "scores": np.array([-1.0, -2.0], np.float32)}

        def problems(**answer: Any) -> list[str]:
            given = {"translation": ["der Mann", ""], "candidates": ["der Mann", ""], "scores": [-1.0, -2.0]}
            return infra_validator.differences({**given, **answer}, expected)

        assert problems() == []
        assert problems(candidates=["der Mann", "ein"]) == []  # the scores tell
        assert problems(translation=["der Mann", "die"]) == ["translation is 'die', the trainer's ''"]
        assert problems(translation=["Der Mann", ""]) == ["translation is 'Der Mann', the trainer's 'der Mann'"]

    def test_the_model_of_a_run_is_served_and_a_tampered_one_refused(self, finished: Finished, tmp_path: Path) -> None:
        from ann_keras import registry
        from pipelines import entrypoints

        (model,) = sorted((finished.root / "pipelines" / "lenet5" / "Trainer" / "model").iterdir())[:1]
        features = registry.resolve("lenet5").task.features
        raw, expected = entrypoints.read_answers(model / entrypoints.ANSWERS_DIR, features)
        assert infra_validator.validate(model / "Format-Serving", raw, expected) == []

        weights = next((model / "Format-Serving" / "variables").glob("*.data*"))
        tampered = tmp_path / "tampered"
        shutil.copytree(model / "Format-Serving", tampered)
        values = np.frombuffer(weights.read_bytes()[: weights.stat().st_size // 4 * 4], np.float32).copy()
        values[np.isfinite(values) & (np.abs(values) > 1e-3)] *= 0.5
        (tampered / "variables" / weights.name).write_bytes(values.tobytes())
        problems = infra_validator.validate(tampered, raw, expected)
        assert problems and all(
            "probabilities differs" in problem or "could not be served" in problem for problem in problems
        )

    def test_a_model_that_does_not_load(self, tmp_path: Path) -> None:
        (tmp_path / "saved_model.pb").write_bytes(b"this is no graph")
        (problem,) = infra_validator.validate(tmp_path, {"image": [b""]}, self.EXPECTED)
        assert problem.startswith("the model could not be served: ")
