"""Renders the templates for the models that were pushed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from packaging.version import Version

from serving.deploy import names
from serving.deploy.output import Output
from serving.deploy.pushed import PushedModel, find
from serving.model_config import model_config_text

SERVER_VERSION = "2.19.1"
"""Of tensorflow/serving. It reads SavedModels of its own TensorFlow and of older ones, 2.16 among them."""
PROMETHEUS_IMAGE = "prom/prometheus:v3.5.0"
DEFAULT_IMAGE, DEFAULT_STORAGE = "ann-serving", "pvc://models"
GRPC_PORT, REST_PORT = 8500, 8501
METRICS_PATH = "/monitoring/prometheus/metrics"
USER = 65532
"""Nobody in particular: the number that images without a shell use by custom."""
_MEBIBYTE = 1 << 20
_BASE_MEMORY, _MEMORY_PER_BYTE, _MEMORY_STEP = 512, 4, 256
"""MiB that the server takes without a model; a model's share of memory by its bytes on disk; MiB."""
_FILES = (
    "Dockerfile",
    ".dockerignore",
    "monitoring.config",
    "batching.config",
    "compose.yaml",
    "prometheus.yml",
    "kubernetes/deployment.yaml",
    "kubernetes/service.yaml",
    "kubernetes/horizontalpodautoscaler.yaml",
    "kubernetes/poddisruptionbudget.yaml",
    "kubernetes/kustomization.yaml",
    "kserve/kustomization.yaml",
    "README.md",
)


@dataclasses.dataclass(frozen=True)
class Deployment:
    """What was generated.

    Attributes:
        out: the folder.
        image: the reference that the image is built and run under.
        server: the image of TF Serving that it is made from.
        models: what it serves.
        files: every generated file, relative to `out`.
        changed: those that are new or different.
        warnings: what may go wrong, a line each.
    """

    out: Path
    image: str
    server: str
    models: list[PushedModel]
    files: list[str]
    changed: list[str]
    warnings: list[str]


def deploy(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    image: str | None = None,
    models: Sequence[str] = (),
    storage_uri: str = DEFAULT_STORAGE,
) -> Deployment:
    """Writes everything that serves the models of a root, as a build context and manifests.

    Args:
        root: the models lie at ROOT/serving/<model>/<version>.
        out: the folder; what else is in it stays as it is.
        image: NAME or NAME:TAG. Without a tag it gets one that changes with the models, so that Kubernetes rolls out.
        models: NAME or NAME:VERSION; empty for the newest version of every model.
        storage_uri: the folder of models as KServe sees it; a model's base path is STORAGE_URI/<model>.

    Raises:
        PushedModelError: where there is nothing to deploy.
        ValueError: for an argument that is wrong.
    """
    storage = names.storage(storage_uri)
    repository, tag = names.split_image(image or DEFAULT_IMAGE)
    pushed = find(root, models)
    labels = _labels(pushed)
    if (Path(root) / "serving").resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
        raise ValueError(f"the output folder {out} lies among the pushed models; give one outside {root}/serving")
    reference = f"{repository}:{tag or _fingerprint(pushed)}"
    warnings = _warnings(pushed)
    output = Output(out)
    for model in pushed:
        for file in model.files():
            output.copy(file, f"{model.folder}/{file.relative_to(model.path).as_posix()}")
    output.write("models.config", model_config_text({model.name: f"/models/{model.name}" for model in pushed}))
    context = _context(pushed, labels, reference, storage)
    environment = _environment()
    for name in _FILES:
        # setuptools leaves hidden files out of a package.
        output.write(name, environment.get_template(f"{name.lstrip('.')}.jinja").render(context))
    service = environment.get_template("kserve/inferenceservice.yaml.jinja")
    for entry in context["models"]:
        output.write(f"kserve/{entry['label']}.yaml", service.render(context, model=entry))
    return Deployment(Path(out), reference, context["server"], pushed, output.files, output.changed, warnings)


def _labels(pushed: Sequence[PushedModel]) -> dict[str, str]:
    """Returns the Kubernetes names by the models' own."""
    labels = {model.name: names.kubernetes_name(model.name) for model in pushed}
    for label, count in Counter(labels.values()).items():
        if count > 1:
            same = " and ".join(repr(name) for name in labels if labels[name] == label)
            raise ValueError(f"models {same} would both be {label!r} in Kubernetes; --model picks one of them")
    if "kustomization" in labels.values():
        raise ValueError("model 'kustomization': its file would take the place of kustomization.yaml; rename it")
    return labels


def _fingerprint(pushed: Sequence[PushedModel]) -> str:
    """Returns a tag that is the same for the same models on the same server."""
    content = " ".join([SERVER_VERSION, *(model.digest() for model in pushed)])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _warnings(pushed: Sequence[PushedModel]) -> list[str]:
    """Returns a line for each model that a newer TensorFlow wrote than the server's."""
    written = {model.name: model.tensorflow_version() for model in pushed}
    return [
        f"TensorFlow {version} wrote {name}, and tensorflow/serving {SERVER_VERSION} may not read it; "
        "docker build --build-arg TF_SERVING=VERSION takes a newer one"
        for name, version in written.items()
        if version and Version(version).release[:2] > Version(SERVER_VERSION).release[:2]
    ]


def _memory(size: int) -> str:
    """Returns a container's memory for SavedModels of so many bytes: while one is swapped, two are loaded."""
    needed = _BASE_MEMORY + _MEMORY_PER_BYTE * size / _MEBIBYTE
    return f"{math.ceil(needed / _MEMORY_STEP) * _MEMORY_STEP}Mi"


def _context(pushed: Sequence[PushedModel], labels: dict[str, str], reference: str, storage: str) -> dict[str, Any]:
    """Returns what the templates refer to."""
    sizes = {model.name: model.size() for model in pushed}
    return {
        "image": reference,
        "app": names.kubernetes_name(reference.rsplit(":", 1)[0].rsplit("/", 1)[-1]),
        "server": f"tensorflow/serving:{SERVER_VERSION}",
        "server_version": SERVER_VERSION,
        "prometheus_image": PROMETHEUS_IMAGE,
        "grpc_port": GRPC_PORT,
        "rest_port": REST_PORT,
        "metrics_path": METRICS_PATH,
        "user": USER,
        "memory": _memory(sum(sizes.values())),
        "health": ["CMD", "bash", "-c", _health_script(pushed)],
        "models": [
            {
                "name": model.name,
                "version": model.version,
                "folder": model.folder,
                "label": labels[model.name],
                "memory": _memory(sizes[model.name]),
                "storage_uri": f"{storage}/{model.name}",
            }
            for model in pushed
        ],
    }


def _health_script(pushed: Sequence[PushedModel]) -> str:
    """Returns bash that fails unless every model is available: the image has bash and grep, and nothing like curl."""
    asked = " ".join(model.name for model in pushed)
    request = r"GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return (
        f"for model in {asked}; do exec 3<>/dev/tcp/127.0.0.1/{REST_PORT} && printf '{request}' $model >&3"
        " && grep -q '\"AVAILABLE\"' <&3 || exit 1; done"
    )


def _quoted(value: Any) -> str:
    """Returns a value as JSON, which is YAML and a Dockerfile's exec form too."""
    return json.dumps(value, ensure_ascii=False)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("serving.deploy"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _quoted
    return environment
