"""What TFX calls by dotted path: each looks the triple up and calls the library, and nothing else."""

from __future__ import annotations

import atexit
import base64
import functools
import gc
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import analysis, initial_weights, registry, training
from ann_keras.data import Split, view
from ann_keras.task import VOID, Feature, Task, Tensors
from pipelines import files, progress
from serving import loading
from serving.export import export, parsing_spec

# On TensorFlow 2.21, Python's last garbage collection after an analysis by TensorFlow Transform crashes the process.
atexit.register(gc.freeze)

ANSWERED = 32
"""Evaluation examples whose answers the Trainer leaves for the InfraValidator."""
QUANTILE_ERROR = 1e-4
OPEN_FILES, BLOCK_RECORDS = 16, 16
"""So many files a streamed epoch reads by turns, and records of each at a time."""
FIT_FILE = "fit.json"
ANSWERS_DIR = "answers"


def triple(custom_config: dict[str, Any], overrides: dict[str, Any] | None = None) -> registry.Triple:
    """The triple that a component's custom_config names."""
    named = custom_config["triple"]
    settings = {**named["settings"], **(overrides or {})}
    return registry.resolve(named["model"], named["dataset"], named["task"], settings)


class TransformAnalyzers:
    """The task's analyzers, answered by TensorFlow Transform."""

    def mean(self, value: Any, name: str) -> Any:
        """The mean over the training split, float32 [units].

        Summed in 64 bits: the order in which Beam adds batches up differs from run to run, and in 32 bits the last
        digits, and so the weights that a seed gives, would differ with it.
        """
        import tensorflow_transform as tft

        return tf.cast(tft.mean(tf.cast(value, tf.float64), reduce_instance_dims=False, name=name), tf.float32)

    def moments(self, value: Any, name: str) -> tuple[Any, Any]:
        """Mean and variance over the training split where it is not NaN, float64 [units]."""
        import tensorflow_transform as tft

        powers = analysis.masked_powers(value)
        return analysis.moments_of(tft.mean(powers, reduce_instance_dims=False, name=name))

    def quantiles(self, value: Any, buckets: int, name: str) -> Any:
        """The boundaries of equally filled buckets, float32 [buckets - 1], to a ten-thousandth of the rows."""
        import tensorflow_transform as tft

        there = tf.boolean_mask(value, tf.logical_not(tf.math.is_nan(value)))
        return tf.reshape(tft.quantiles(there, buckets, epsilon=QUANTILE_ERROR, name=name), [buckets - 1])

    def indices(self, value: Any, size: int, name: str) -> Any:
        """The place among the most frequent values, int64 [batch]; -1 for none of them."""
        import tensorflow_transform as tft

        return tft.compute_and_apply_vocabulary(value, default_value=-1, top_k=size, vocab_filename=name)

    def vocabulary(self, words: Any, size: int, tokens: str, name: str) -> tuple[Any, Any]:
        """The pieces that Beam learns from the training split's words, string [pieces], and their model, string []."""
        import tensorflow_transform as tft

        from pipelines.vocabulary import Learn, unpacked

        kinds, shapes = [tf.string, tf.string], [[None], []]
        analyzer = tft.experimental.ptransform_analyzer
        pieces, model = analyzer([words], Learn(size, tokens), kinds, shapes, name=name)
        return pieces, unpacked(model)


def preprocessing_fn(inputs: Tensors, custom_config: dict[str, Any]) -> Tensors:
    """Transform's: the task's preprocess."""
    task = triple(custom_config).task
    return task.preprocess(inputs, TransformAnalyzers())


class TransformGraph(tf.Module):
    """A graph that Transform wrote, as a function of raw features of which some may be absent.

    Args:
        path: the directory `transform_fn`.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.loaded = loading.load(path)
        ((self.inputs,), _) = self.loaded.transform_fn.structured_input_signature

    def __call__(self, raw: Tensors) -> Tensors:
        """Raw features of a batch -> what of the task's inputs and label follows from them."""
        batch = tf.shape(next(iter(raw.values())))[0]
        absent = {name: _nothing(spec, batch) for name, spec in self.inputs.items() if name not in raw}
        found: Tensors = self.loaded.transform_fn({**absent, **raw})
        unknown = {name for given in absent for name in self._following(given)}
        return {name: value for name, value in found.items() if name not in unknown}

    @functools.cache  # noqa: B019  a graph lives as long as the process
    def _following(self, name: str) -> frozenset[str]:
        """The outputs that the input `name` decides on, such as the weight of an example that has a label."""
        function = self.loaded.transform_fn
        # Both are flattened by TensorFlow in the order of their names.
        given = dict(zip(sorted(self.inputs), function.inputs, strict=False))[name]
        found = dict(zip(sorted(function.structured_outputs), function.outputs, strict=True))
        return frozenset(output for output, tensor in found.items() if _follows(tensor, given))


def _nothing(spec: Any, batch: Any) -> Any:
    """What stands in for an absent feature; all of the graph may run, and so bytes are a mask that is void."""
    if spec.dtype == tf.string:
        return tf.fill([batch, *spec.shape[1:]], tf.io.encode_png(tf.constant([[[VOID]]], tf.uint8)))
    return tf.zeros([batch, *spec.shape[1:]], spec.dtype)


def _follows(tensor: Any, given: Any) -> bool:
    """Whether a tensor of a graph is computed from another one of it."""
    seen, waiting = set(), [tensor]
    while waiting:
        one = waiting.pop()
        if one is given:
            return True
        if one.op.name not in seen:
            seen.add(one.op.name)
            waiting.extend(one.op.inputs)
    return False


def split(written: Any, task: Task, graph: TransformGraph, memory_mb: int) -> Split:
    """The examples in TFRecord files, which are in the order of their names."""
    spec = parsing_spec((*task.features, task.label))

    def transform(serialized: Any) -> Tensors:
        return graph(tf.io.parse_example(serialized, spec))

    patterns = [written] if isinstance(written, str) else written
    paths = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))

    def mixed(seed: Any) -> tf.data.Dataset:
        files = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed, reshuffle_each_iteration=False)
        read = functools.partial(tf.data.TFRecordDataset, compression_type="GZIP")
        return files.interleave(read, cycle_length=OPEN_FILES, block_length=BLOCK_RECORDS)

    records = tf.data.TFRecordDataset(paths, "GZIP")
    seen = view(task, transform)
    more: dict[str, Any] = {"mixed": mixed, "weigh": task.weigh, "batch_tokens": task.batch_tokens}
    return Split(records, seen, task.label.name, memory_mb=memory_mb, **more)


def _splits(fn_args: Any, found: registry.Triple) -> tuple[Split, Split, TransformGraph]:
    graph = TransformGraph(f"{fn_args.transform_graph_path}/transform_fn")
    make = functools.partial(split, task=found.task, graph=graph, memory_mb=found.memory_mb)
    return make(fn_args.train_files), make(fn_args.eval_files), graph


def run_fn(fn_args: Any) -> None:
    """Trainer's: fits the model and leaves the SavedModel, the .keras file, TensorBoard's logs and the fit's course."""
    tuned = (fn_args.hyperparameters or {}).get("values", {})
    found = triple(fn_args.custom_config, tuned)
    train, evaluation, graph = _splits(fn_args, found)
    checkpoints = _checkpoints(fn_args, found, "fit")
    model_uri, exported = fn_args.serving_model_dir.rstrip("/").rsplit("/", 1)
    with files.writing(fn_args.model_run_dir) as logs, files.writing(model_uri) as beside:
        board = keras.callbacks.TensorBoard(str(logs), write_graph=False)
        fit = training.fit(
            found,
            train,
            evaluation,
            fn_args.custom_config["seed"],
            checkpoints,
            [board, progress.Epochs(found.training.epochs)],
        )
        fit.model.save(beside / initial_weights.MODEL_FILE)
        serialized = next(evaluation.records.batch(ANSWERED).as_numpy_iterator())
        raw = tf.io.parse_example(serialized, parsing_spec(found.task.features))
        warmup = {name: values.numpy() for name, values in raw.items()}
        export(found, fit.model, graph, beside / exported, [graph], warmup)

        # As a graph, which leaves out what follows from the label that is not there.
        @functools.partial(tf.function, autograph=False)
        def answer(raw: Tensors) -> Tensors:
            return found.task.answer(fit.model, graph(raw))

        answers = answer(raw)
        _leave_answers(serialized, answers, beside / ANSWERS_DIR)
        (logs / FIT_FILE).write_text(json.dumps(_course(fit, found, tuned)))
    training.discard(checkpoints)


def _course(fit: training.Fit, found: registry.Triple, tuned: dict[str, Any]) -> dict[str, Any]:
    """What the report tells of a fit."""
    return {
        "history": fit.history,
        "best_epoch": fit.best_epoch,
        "resumed_epoch": fit.resumed_epoch,
        "metrics": fit.metrics,
        "step_seconds": fit.step_seconds,
        "initialised": fit.initialised,
        "tuned": tuned,
    }


def _leave_answers(serialized: Iterable[bytes], answers: Tensors, path: Path) -> None:
    """Writes raw examples, and what the model in memory answers to them."""
    path.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path / "examples.tfrecord")) as writer:
        for record in serialized:
            writer.write(record)
    np.savez(path / "answers.npz", **{name: _portable(value.numpy()) for name, value in answers.items()})


def _portable(values: np.ndarray) -> np.ndarray:
    """Numbers as they are, texts and pictures in base64: no file of arrays holds strings of any bytes."""
    if values.dtype != object:
        return values
    return np.array([base64.b64encode(value) for value in values.reshape(-1)]).reshape(values.shape)


def read_answers(path: Path, features: tuple[Feature, ...]) -> tuple[dict[str, list[Any]], dict[str, np.ndarray]]:
    """What `run_fn` left: raw inputs by feature, and the trainer's answers by name."""
    records = list(tf.data.TFRecordDataset(str(path / "examples.tfrecord")).as_numpy_iterator())
    raw = {name: list(value.numpy()) for name, value in tf.io.parse_example(records, parsing_spec(features)).items()}
    with np.load(path / "answers.npz") as answers:
        return raw, dict(answers)


def tuner_fn(fn_args: Any) -> Any:
    """Tuner's: a Bayesian search over the spaces that the configs declare, each trial fitted by `training.fit`."""
    from tfx.components.tuner.component import TunerFnResult

    from ann_keras.datasets.splits import Plan
    from pipelines import tuning

    found = triple(fn_args.custom_config)
    config = fn_args.custom_config
    if "folds" in config:
        examples = tuning.pool([*fn_args.train_files, *fn_args.eval_files], found.task)
        judge = tuning.k_fold(examples, config["folds"], Plan.from_dict(config["plan"]))
    else:
        judge = tuning.hold_out(*_splits(fn_args, found)[:2], config["seed"])
    directory = _checkpoints(fn_args, found, "tune") or Path(fn_args.working_dir) / "tune"
    resolve = functools.partial(triple, config)
    tuner = tuning.TripleTuner(resolve, judge, config["seed"], config["trials"], directory, config["search"])
    return TunerFnResult(tuner=tuner, fit_kwargs={})


def _checkpoints(fn_args: Any, found: registry.Triple, purpose: str) -> Path | None:
    """A folder for exactly this triple, code, seed and data, so that only the same work is ever taken up again.

    None where the run's root is an object store: a container that is started again has another disk.
    """
    if files.is_remote(fn_args.custom_config["checkpoints"]):
        return None
    config = {name: value for name, value in fn_args.custom_config.items() if name != "checkpoints"}
    identity = [purpose, config, found.settings, fn_args.transform_graph_path, list(fn_args.train_files)]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return Path(fn_args.custom_config["checkpoints"]) / f"{purpose}-{digest}"
