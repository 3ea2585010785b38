"""The peer of `pipeline_overhead`: digits through TFX's own components, as its tutorials write it.

CsvExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Transform, Trainer, Evaluator and Pusher. It trains the same
network for the number of epochs it is told, without checkpoints, baseline, slices, validation by serving, or report.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

PIXELS = [f"p{number}" for number in range(64)]


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Transform's: standardises every pixel."""
    import tensorflow as tf
    import tensorflow_transform as tft

    def dense(name: str) -> Any:
        value = inputs[name]
        return tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value

    pixels = tf.cast(tf.concat([tf.reshape(dense(name), [-1, 1]) for name in PIXELS], axis=1), tf.float32)
    scaled = tft.scale_to_z_score(pixels)
    return {"image": tf.reshape(scaled, [-1, 8, 8, 1]), "label": tf.reshape(dense("label"), [-1])}


def run_fn(fn_args: Any) -> None:
    """Trainer's: fits LeNet-5 and exports it."""
    import keras
    import tensorflow as tf
    import tensorflow_transform as tft
    from tfx_bsl.public import tfxio

    from ann_keras.models.convolutional import lenet5
    from ann_keras.task import Feature

    graph = tft.TFTransformOutput(fn_args.transform_output)

    def batches(files: Any) -> Any:
        options = tfxio.TensorFlowDatasetOptions(batch_size=64, label_key="label", num_epochs=1)
        return fn_args.data_accessor.tf_dataset_factory(files, options, graph.transformed_metadata.schema)

    train, evaluation = batches(fn_args.train_files).cache(), batches(fn_args.eval_files).cache()
    inputs = {"image": keras.Input((8, 8, 1), name="image")}
    model = lenet5.build(lenet5.Config(), inputs, Feature("logits", "tensor", (10,)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    epochs = fn_args.custom_config["epochs"]
    model.fit(train.shuffle(64), validation_data=evaluation, epochs=epochs, verbose=0)
    transform = tf.saved_model.load(os.path.join(fn_args.transform_output, "transform_fn"))
    raw = graph.raw_feature_spec()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: Any) -> dict[str, Any]:
        image = transform.transform_fn(tf.io.parse_example(examples, raw))["image"]
        return {"probabilities": tf.nn.softmax(model({"image": image}))}

    serve.get_concrete_function()
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.track(transform)
    archive.add_endpoint("serving_default", serve)
    archive.write_out(fn_args.serving_model_dir, verbose=False)


def create_pipeline(root: str, data: str, epochs: int) -> Any:
    """The pipeline of TFX's tutorials."""
    import tensorflow_model_analysis as tfma
    from tfx import v1 as tfx

    examples = tfx.components.CsvExampleGen(input_base=data)
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"], infer_feature_shape=True)
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = tfx.components.Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="benchmarks.bare_digits.preprocessing_fn",
    )
    trainer = tfx.components.Trainer(
        run_fn="benchmarks.bare_digits.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        train_args=tfx.proto.TrainArgs(),
        eval_args=tfx.proto.EvalArgs(),
        custom_config={"epochs": epochs},
    )
    threshold = tfma.MetricThreshold(value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 0.5}))
    accuracy = tfma.MetricConfig(class_name="SparseCategoricalAccuracy", threshold=threshold)
    evaluator = tfx.components.Evaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        eval_config=tfma.EvalConfig(
            model_specs=[tfma.ModelSpec(label_key="label")],
            slicing_specs=[tfma.SlicingSpec()],
            metrics_specs=[tfma.MetricsSpec(metrics=[accuracy])],
        ),
    )
    destination = tfx.proto.PushDestination.Filesystem(base_directory=os.path.join(root, "serving"))
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(filesystem=destination),
    )
    return tfx.dsl.Pipeline(
        pipeline_name="bare",
        pipeline_root=os.path.join(root, "pipelines"),
        components=[examples, statistics, schema, validator, transform, trainer, evaluator, pusher],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            os.path.join(root, "metadata.db")
        ),
        beam_pipeline_args=["--runner=FnApiRunner"],
    )


def main() -> None:
    """Writes the digits as CSV and runs the pipeline."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    arguments = parser.parse_args()
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    data = os.path.join(arguments.root, "data")
    os.makedirs(data)
    rows = np.column_stack([digits.data, digits.target])
    header = ",".join([*PIXELS, "label"])
    np.savetxt(os.path.join(data, "digits.csv"), rows, delimiter=",", header=header, comments="", fmt="%d")
    from tfx import v1 as tfx

    tfx.orchestration.LocalDagRunner().run(create_pipeline(arguments.root, data, arguments.epochs))


if __name__ == "__main__":
    main()
