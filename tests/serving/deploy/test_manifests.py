"""Every generated file against the schema of what reads it."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from google.protobuf import text_format

from serving import protos
from serving.deploy import Deployment
from serving.server import config_protos

SCHEMAS = ("1.27", kubernetes_validate.latest_version())
"""The oldest Kubernetes that the generated README names, and the newest whose schemas the package carries."""
RESOURCES = {
    "deployment": "Deployment",
    "service": "Service",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "poddisruptionbudget": "PodDisruptionBudget",
}
LABEL = {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[0-9.]+(m|[KMGT]i?)?$"}}


def closed(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


# The fields that we use of serving.kserve.io/v1beta1, from KServe's API reference (InferenceService, PredictorSpec,
# ComponentExtensionSpec, ModelSpec, PredictorExtensionSpec) and its admission webhook's pattern for names.
INFERENCE_SERVICE = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "serving.kserve.io/v1beta1"},
    kind={"const": "InferenceService"},
    metadata=closed(("name",), name=LABEL, labels={"type": "object", "additionalProperties": LABEL}),
    spec=closed(
        ("predictor",),
        predictor=closed(
            ("model",),
            minReplicas={"type": "integer", "minimum": 0},
            maxReplicas={"type": "integer", "minimum": 1},
            model=closed(
                ("modelFormat", "storageUri"),
                modelFormat=closed(("name",), name={"const": "tensorflow"}, version={"type": "string"}),
                protocolVersion={"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]},
                runtimeVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                storageUri={"type": "string", "pattern": "^(gs|s3|pvc|hdfs|webhdfs|https?|file|hf|oci)://"},
                resources=closed((), requests=QUANTITIES, limits=QUANTITIES),
            ),
        ),
    ),
)


def load(deployment: Deployment, name: str) -> Any:
    return yaml.safe_load((deployment.out / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("name", RESOURCES)
def test_a_kubernetes_resource_fits_its_schema(deployment: Deployment, name: str, version: str):
    resource = load(deployment, f"kubernetes/{name}.yaml")
    assert resource["kind"] == RESOURCES[name]
    assert resource["metadata"]["name"] == "u-net"
    assert "namespace" not in resource["metadata"]
    kubernetes_validate.validate(resource, version, strict=True)
    resource["spec"]["bogus"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="bogus"):
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_parts_of_kubernetes_find_one_another(deployment: Deployment):
    files = {kind: load(deployment, f"kubernetes/{name}.yaml") for name, kind in RESOURCES.items()}
    pod = files["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    for selector in (
        files["Deployment"]["spec"]["selector"]["matchLabels"],
        files["Service"]["spec"]["selector"],
        files["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    target = files["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": files["Deployment"]["metadata"]["name"]}
    (container,) = pod["spec"]["containers"]
    assert container["image"] == deployment.image
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    assert {port["targetPort"]: port["port"] for port in files["Service"]["spec"]["ports"]} == ports
    assert container["readinessProbe"]["httpGet"]["port"] in ports
    assert container["startupProbe"]["grpc"]["port"] == container["livenessProbe"]["grpc"]["port"] == ports["grpc"]
    waits = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert waits < pod["spec"]["terminationGracePeriodSeconds"]
    assert "replicas" not in files["Deployment"]["spec"]


@pytest.mark.parametrize("folder", ["kubernetes", "kserve"])
def test_a_kustomization_lists_the_files_beside_it(deployment: Deployment, folder: str):
    listed = load(deployment, f"{folder}/kustomization.yaml")["resources"]
    there = {path.name for path in (deployment.out / folder).iterdir()} - {"kustomization.yaml"}
    assert len(listed) == len(there)
    assert set(listed) == there


@pytest.mark.parametrize(("label", "model"), [("half-plus-two", "half_plus_two"), ("text", "text")])
def test_each_model_is_an_inference_service(deployment: Deployment, label: str, model: str):
    service = load(deployment, f"kserve/{label}.yaml")
    jsonschema.validate(service, INFERENCE_SERVICE)
    assert service["metadata"]["name"] == label
    assert service["spec"]["predictor"]["model"]["storageUri"] == f"s3://bucket/serving/{model}"
    assert service["spec"]["predictor"]["model"]["runtimeVersion"] == deployment.server.partition(":")[2]


def compose_schema() -> dict[str, Any]:
    path = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def test_compose_fits_the_compose_specification(deployment: Deployment):
    compose = load(deployment, "compose.yaml")
    jsonschema.validate(compose, compose_schema())
    serving = compose["services"]["serving"]
    assert serving["image"] == deployment.image
    assert all(port.startswith("127.0.0.1:") for one in compose["services"].values() for port in one["ports"])
    serving["bogus"] = 1
    with pytest.raises(jsonschema.ValidationError, match="bogus"):
        jsonschema.validate(compose, compose_schema())


def test_prometheus_scrapes_the_server_of_compose(deployment: Deployment):
    config, compose = load(deployment, "prometheus.yml"), load(deployment, "compose.yaml")
    assert config.keys() == {"global", "scrape_configs"}
    (job,) = config["scrape_configs"]
    assert job.keys() == {"job_name", "metrics_path", "fallback_scrape_protocol", "static_configs"}
    assert job["metrics_path"] == "/monitoring/prometheus/metrics"
    assert job["fallback_scrape_protocol"] == "PrometheusText0.0.4"
    host, _, port = job["static_configs"][0]["targets"][0].partition(":")
    assert host in compose["services"]
    assert f"127.0.0.1:{port}:{port}" in compose["services"][host]["ports"]
    source, target, mode = compose["services"]["prometheus"]["volumes"][0].split(":")
    assert (deployment.out / source).is_file()
    assert (target, mode) == ("/etc/prometheus/prometheus.yml", "ro")


def test_the_server_s_files_are_its_protocol_buffers(deployment: Deployment):
    config = protos.model_server_config_pb2.ModelServerConfig()
    text_format.Parse((deployment.out / "models.config").read_text(), config)
    assert [(one.name, one.base_path, one.model_platform) for one in config.model_config_list.config] == [
        ("half_plus_two", "/models/half_plus_two", "tensorflow"),
        ("text", "/models/text", "tensorflow"),
    ]
    batching = config_protos.read_batching_parameters(str(deployment.out / "batching.config"))
    assert (batching.max_batch_size.value, batching.batch_timeout_micros.value) == (32, 1000)
    monitoring = config_protos.read_monitoring_config(str(deployment.out / "monitoring.config"))
    assert monitoring.prometheus_config.enable
    annotations = load(deployment, "kubernetes/deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == monitoring.prometheus_config.path


def test_the_notes_name_what_was_written(deployment: Deployment):
    text = (deployment.out / "README.md").read_text(encoding="utf-8")
    assert f"docker build --tag {deployment.image} ." in text
    for folder in re.findall(r"kubectl apply --kustomize (\S+)", text):
        assert Path(deployment.out, folder, "kustomization.yaml").is_file()
    for model in deployment.models:
        assert f"`{model.name}` | {model.version} |" in text
