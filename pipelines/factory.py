"""One pipeline for any triple, whoever runs it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import tensorflow_data_validation as tfdv
from tfx.components import Evaluator, Pusher, StatisticsGen, Trainer, Transform
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from ann_keras.datasets.splits import Plan
from ann_keras.registry import Triple
from ann_keras.settings import as_dict
from pipelines import schema, sources
from pipelines.components.baseline import LatestOtherBlessedModel
from pipelines.components.example_gen import StratifiedExampleGen
from pipelines.components.infra_validator import ServingValidator
from pipelines.components.reporter import Reporter
from pipelines.components.resampler import Resampler
from pipelines.components.task_schema import TaskSchema
from pipelines.components.tuner import Tuner
from pipelines.components.validation import StrictExampleValidator
from pipelines.report import sections as report_sections
from pipelines.runners.beam import beam_args


@dataclass(frozen=True)
class Paths:
    """Where a pipeline reads and writes, below one root.

    Attributes:
        root: the directory that the user names.
        model: the model's name.
        fold: "" or the name of a cross-validation fold, which has a pipeline of its own.
    """

    root: str
    model: str
    fold: str = ""

    @property
    def _folder(self) -> str:
        return f"{self.model}-{self.fold}" if self.fold else self.model

    @property
    def name(self) -> str:
        """The pipeline's name: Kubeflow wants letters, digits and hyphens."""
        return self._folder.replace("_", "-")

    @property
    def pipeline(self) -> str:
        """Artifacts."""
        return f"{self.root}/pipelines/{self._folder}"

    @property
    def checkpoints(self) -> str:
        """Unfinished fits."""
        return f"{self.pipeline}/checkpoints"

    @property
    def serving(self) -> str:
        """Pushed versions: a TF Serving base path."""
        return f"{self.root}/serving/{self.model}"

    @property
    def reports(self) -> str:
        """A folder for every run's report."""
        return f"{self.root}/reports/{self.model}"

    @property
    def metadata(self) -> str:
        """ML Metadata's SQLite file."""
        return f"{self.root}/metadata.db"


@dataclass(frozen=True)
class Options:
    """How a triple is run.

    Attributes:
        seed: of splits and weights.
        plan: how the dataset is split.
        tune: whether KerasTuner searches the settings first; trials: how many it tries; search: the settings that it
            searches, all that declare a space where it is empty; tune_folds: folds that each trial is judged by, None
            for the evaluation split.
        resampling: method and count of a validation by `ann_keras.validation`; None for none.
        max_bad_fraction: share of unreadable rows that is left out without failing.
        beam_args: arguments of every Beam pipeline, beside or in place of the local runner's.
        cache: whether earlier results are reused.
        folds: metrics of each cross-validation fold, for the report.
        push: whether the pipeline goes on to validation by serving, push and report.
        local: whether the pipeline runs here, with ML Metadata's SQLite file.
    """

    seed: int = 0
    plan: Plan = field(default_factory=Plan)
    tune: bool = False
    trials: int = 10
    search: Sequence[str] = ()
    tune_folds: int | None = None
    resampling: tuple[str, int | None] | None = None
    max_bad_fraction: float = 0.0
    beam_args: Sequence[str] = ()
    cache: bool = True
    folds: Sequence[dict[str, float]] = ()
    push: bool = True
    local: bool = True


def create_pipeline(triple: Triple, paths: Paths, options: Options) -> Pipeline:
    """Builds the pipeline that carries a triple from raw data to a pushed model and its report."""
    made = Components(triple, paths, options)
    data = made.data()
    trained = [*made.training(), *made.resampling()]
    judged = made.judgement() if options.push else made.fold_judgement()
    connection = metadata.sqlite_metadata_connection_config(paths.metadata) if options.local else None
    return Pipeline(
        pipeline_name=paths.name,
        pipeline_root=paths.pipeline,
        components=[*data, *trained, *judged],
        enable_cache=options.cache,
        metadata_connection_config=connection,
        beam_pipeline_args=beam_args(options.beam_args),
    )


class Components:
    """Makes the components in the order of the data's way through them."""

    def __init__(self, triple: Triple, paths: Paths, options: Options) -> None:
        self.triple, self.paths, self.options = triple, paths, options
        self._named = {"model": triple.model_name, "dataset": triple.dataset_name, "task": triple.task.name}

    def _config(self, stage: str, *modules: str) -> dict[str, Any]:
        """A custom_config: the triple, and the digests of the sources that the component runs.

        It holds no setting of a later stage: another learning rate does not analyse the data anew, and another
        threshold does not train anew.
        """
        triple = self.triple
        kept = as_dict(triple.task_config, until=stage)
        if stage != "preprocess":
            kept |= as_dict(triple.config, triple.training)
        return {"triple": {**self._named, "settings": kept}, "sources": sources.digests(*modules)}

    def data(self) -> list[Any]:
        """ExampleGen, StatisticsGen, the schema, ExampleValidator and Transform."""
        dataset, options = self.triple.dataset, self.options
        reader = [type(dataset).__module__, "pipelines.components.example_gen"]
        self.example_gen = StratifiedExampleGen(
            dataset=self.triple.dataset_name,
            fingerprint=dataset.fingerprint(),
            plan=options.plan,
            max_bad_fraction=options.max_bad_fraction,
            sources=json.dumps(sources.digests(*reader)),
        )
        self.schema = TaskSchema(text=schema.schema_text(self.triple.task)).with_id("TaskSchema")
        self.examples = self.example_gen.outputs["examples"]
        # The examples' keys are for people alone: no part of the schema, and a string for every row would slow the
        # statistics down.
        described = [feature.name for feature in (*self.triple.task.features, self.triple.task.label)]
        self.statistics = StatisticsGen(
            examples=self.examples,
            schema=self.schema.outputs["schema"],
            stats_options=tfdv.StatsOptions(feature_allowlist=described),
        )
        self.validator = StrictExampleValidator(
            statistics=self.statistics.outputs["statistics"], schema=self.schema.outputs["schema"]
        ).with_id("ExampleValidator")
        self.transform = Transform(
            examples=self.examples,
            schema=self.schema.outputs["schema"],
            preprocessing_fn="pipelines.entrypoints.preprocessing_fn",
            custom_config=self._config("preprocess", self._task_module),
            splits_config=transform_pb2.SplitsConfig(analyze=["train"]),
            materialize=False,
            disable_statistics=True,
        )
        self.transform.add_upstream_node(self.validator)
        return [self.example_gen, self.schema, self.statistics, self.validator, self.transform]

    @property
    def _task_module(self) -> str:
        from ann_keras import registry

        return registry.TASKS[self.triple.task.name]

    def training(self) -> list[Any]:
        """The Tuner, if asked for, and the Trainer."""
        config = self._config("training", self.triple.model.__name__, self._task_module, "pipelines.entrypoints")
        config |= {"seed": self.options.seed, "checkpoints": self.paths.checkpoints}
        shared = {
            "examples": self.examples,
            "transform_graph": self.transform.outputs["transform_graph"],
            "schema": self.schema.outputs["schema"],
            "train_args": trainer_pb2.TrainArgs(splits=["train"]),
            "eval_args": trainer_pb2.EvalArgs(splits=["eval"]),
        }
        self.tuner = None
        if self.options.tune:
            self.tuner = Tuner(
                tuner_fn="pipelines.entrypoints.tuner_fn",
                custom_config=config | self._search(),
                **shared,
            )
            shared["hyperparameters"] = self.tuner.outputs["best_hyperparameters"]
        self.trainer = Trainer(run_fn="pipelines.entrypoints.run_fn", custom_config=config, **shared)
        return [*([self.tuner] if self.tuner else []), self.trainer]

    def _search(self) -> dict[str, Any]:
        """What the Tuner's custom_config has beside the Trainer's."""
        options = self.options
        more: dict[str, Any] = {"trials": options.trials, "search": list(options.search)}
        if options.tune_folds:
            # Not the test split: the folds are of the training and the evaluation examples.
            more |= {"folds": options.tune_folds, "plan": options.plan.to_dict()}
        return more

    def resampling(self) -> list[Any]:
        """The validation by resampling, if asked for."""
        self.resampler = None
        if self.options.resampling is None:
            return []
        dataset = self.triple.dataset
        modules = (self.triple.model.__name__, self._task_module, type(dataset).__module__, "ann_keras.validation")
        config = self._config("training", *modules) | {
            "plan": self.options.plan.to_dict(),
            "resampling": list(self.options.resampling),
            "fingerprint": dataset.fingerprint(),
        }
        self.resampler = Resampler(custom_config=json.dumps(config, sort_keys=True), checkpoints=self.paths.checkpoints)
        self.resampler.add_upstream_node(self.validator)
        return [self.resampler]

    def _evaluator(self, baseline: Any = None) -> Any:
        return Evaluator(
            examples=self.examples,
            model=self.trainer.outputs["model"],
            baseline_model=baseline,
            eval_config=schema.eval_config(self.triple.task),
            example_splits=["test"],
        )

    def fold_judgement(self) -> list[Any]:
        """The Evaluator alone: a fold's model is measured, and never pushed."""
        return [self._evaluator()]

    def judgement(self) -> list[Any]:
        """The resolver of the baseline, Evaluator, the validation by serving, Pusher and Reporter."""
        channels = {"model": Channel(type=Model), "model_blessing": Channel(type=ModelBlessing)}
        strategy: Any = LatestBlessedModelStrategy
        if self.options.local:
            # Kubeflow knows TFX's own strategies alone.
            strategy = LatestOtherBlessedModel
            channels["candidate"] = self.trainer.outputs["model"]
        resolver = Resolver(strategy_class=strategy, **channels).with_id("latest_blessed_model_resolver")
        evaluator = self._evaluator(resolver.outputs["model"])
        config = json.dumps(self._config("training", "pipelines.components.infra_validator", "serving.process"))
        served = ServingValidator(model=self.trainer.outputs["model"], custom_config=config).with_id("InfraValidator")
        destination = pusher_pb2.PushDestination.Filesystem(base_directory=self.paths.serving)
        pusher = Pusher(
            model=self.trainer.outputs["model"],
            model_blessing=evaluator.outputs["blessing"],
            infra_blessing=served.outputs["blessing"],
            push_destination=pusher_pb2.PushDestination(filesystem=destination),
        )
        return [resolver, evaluator, served, pusher, self._reporter(evaluator, served, pusher)]

    def _reporter(self, evaluator: Any, served: Any, pusher: Any) -> Any:
        options = asdict(self.options) | {"plan": self.options.plan.to_dict()}
        kept = {name: options[name] for name in ("seed", "tune", "trials", "plan", "folds")}
        modules = [self.triple.model.__name__, "pipelines.components.reporter"]
        section = report_sections.for_task(self.triple.task.name)
        config = self._config("evaluation", *modules, *([section.__name__] if section else [])) | {"options": kept}
        more = {"tuner_results": self.tuner.outputs["tuner_results"]} if self.tuner else {}
        if self.resampler:
            more["validation"] = self.resampler.outputs["validation"]
        return Reporter(
            examples=self.examples,
            anomalies=self.validator.outputs["anomalies"],
            model=self.trainer.outputs["model"],
            model_run=self.trainer.outputs["model_run"],
            evaluation=evaluator.outputs["evaluation"],
            blessing=evaluator.outputs["blessing"],
            infra_blessing=served.outputs["blessing"],
            pushed_model=pusher.outputs["pushed_model"],
            custom_config=json.dumps(config),
            reports=self.paths.reports,
            times=f"{self.paths.pipeline}/times.json",
            **more,
        )
