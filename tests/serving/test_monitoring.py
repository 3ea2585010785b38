"""What Prometheus is told."""

from pathlib import Path

import pytest

from serving.errors import Code, ServingError
from serving.server import config_protos, monitoring
from serving.server.config import ModelConfig
from serving.server.versions import Loader, Model


def samples(metrics: monitoring.Metrics) -> dict[str, float]:
    lines = [line for line in metrics.exposition().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_by_status_and_timed_where_they_succeed() -> None:
    metrics = monitoring.Metrics()
    for seconds in (5e-6, 25e-6, 1.0):
        metrics.observe("Predict", 'a "b"\\', Code.OK, seconds, "REST")
    metrics.observe("Predict", "c", Code.INVALID_ARGUMENT, 1.0, "GRPC")
    assert b"# TYPE :tensorflow:serving:request_latency histogram\n" in metrics.exposition()
    assert b"# TYPE :tensorflow:serving:request_count counter\n" in metrics.exposition()
    found = samples(metrics)
    name, cell = ":tensorflow:serving:request_latency", 'model_name="a \\"b\\"\\\\",API="Predict",entrypoint="REST"'
    assert found[':tensorflow:serving:request_count{model_name="a \\"b\\"\\\\",status="OK"}'] == 3
    assert found[':tensorflow:serving:request_count{model_name="c",status="INVALID_ARGUMENT"}'] == 1
    buckets = {limit: found[f'{name}_bucket{{{cell},le="{limit}"}}'] for limit in ("10", "32.4", "188.957", "+Inf")}
    assert buckets == {"10": 1, "32.4": 2, "188.957": 2, "+Inf": 3}  # six digits, as TF Serving writes them
    assert found[f"{name}_count{{{cell}}}"] == 3
    assert found[f"{name}_sum{{{cell}}}"] == pytest.approx(1_000_030, rel=1e-5)
    assert len([key for key in found if key.startswith(f"{name}_bucket{{{cell}")]) == 34


def test_loads_are_counted(saved_models: Path, tmp_path: Path) -> None:
    metrics = monitoring.Metrics()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"no graph")
    for path in (saved_models / "half", tmp_path):
        model = Model("half", ModelConfig(str(path)), Loader(metrics=metrics))
        model.reconcile()
        model.unload_all()
    found, name = samples(metrics), ":tensorflow:cc:saved_model:load_attempt_count"
    assert found[f'{name}{{model_path="{saved_models}/half/2",status="success"}}'] == 1
    assert found[f'{name}{{model_path="{tmp_path}/1",status="fail"}}'] == 1
    assert found[f':tensorflow:cc:saved_model:load_latency{{model_path="{saved_models}/half/2"}}'] > 0


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
        ('prometheus_config { path: "/metrics" }', ""),
        ("", ""),
    ],
)
def test_the_config_says_where(text: str, path: str, tmp_path: Path) -> None:
    (tmp_path / "monitoring.config").write_text(text)
    config = config_protos.read_monitoring_config(str(tmp_path / "monitoring.config"))
    assert monitoring.for_config(config).path == path


def test_config_files_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "batching.config"
    with pytest.raises(ServingError, match=r"batching parameters file .*: No such file"):
        config_protos.read_batching_parameters(str(path))
    path.write_text("max_batch_size { value: 32 }\nsurprise: 1")
    with pytest.raises(ServingError, match=r"Invalid protobuf file: '.*batching\.config': 2:1 .*surprise"):
        config_protos.read_batching_parameters(str(path))


def test_batching_parameters(tmp_path: Path) -> None:
    path = tmp_path / "batching.config"
    path.write_text(
        "max_batch_size { value: 32 } batch_timeout_micros { value: 5 } max_enqueued_batches { value: 7 }\n"
        'num_batch_threads { value: 3 } thread_pool_name { value: "t" } pad_variable_length_inputs: true\n'
        "allowed_batch_sizes: 8 allowed_batch_sizes: 32"
    )
    found = config_protos.read_batching_parameters(str(path))
    assert (found.max_batch_size.value, found.batch_timeout_micros.value) == (32, 5)
    assert list(found.allowed_batch_sizes) == [8, 32]
    assert found.pad_variable_length_inputs
    assert not found.HasField("max_execution_batch_size")
