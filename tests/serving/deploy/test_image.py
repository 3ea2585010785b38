"""The image, built without Docker: its COPY lines are carried out, and its command runs with the embedded server."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from serving.client import Client
from serving.deploy import Deployment

SERVING = b"\x08\x01"
"""A grpc.health.v1.HealthCheckResponse whose status is SERVING."""


def parse(deployment: Deployment) -> DockerfileParser:
    return DockerfileParser(fileobj=io.BytesIO((deployment.out / "Dockerfile").read_bytes()))


def instructions(deployment: Deployment, name: str) -> list[str]:
    return [one["value"] for one in parse(deployment).structure if one["instruction"] == name]


def copies(deployment: Deployment) -> Iterator[tuple[list[str], str]]:
    """Yields the sources and the target of every COPY."""
    for value in instructions(deployment, "COPY"):
        owner, _, paths = value.partition(" ")
        assert owner == "--chown=65532:65532"
        *sources, target = json.loads(paths)
        yield sources, target


class Container(NamedTuple):
    """A server that runs as the image's."""

    folder: Path
    rest: int
    grpc: int


@pytest.fixture(scope="module")
def container(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("image")
    for sources, target in copies(deployment):
        inside = folder / target.strip("/")
        for source in sources:
            if source.endswith("/"):
                shutil.copytree(deployment.out / source, inside)
            else:
                shutil.copy(deployment.out / source, inside)
    config = folder / "models" / "models.config"
    config.write_text(config.read_text().replace('"/models', f'"{folder}/models'))
    (command,) = instructions(deployment, "CMD")
    flags = [flag.replace("=/models", f"={folder}/models") for flag in json.loads(command)]
    flags = [re.sub(r"^(--port|--rest_api_port)=\d+$", r"\1=0", flag) for flag in flags]
    ready, log = folder / "ready", folder / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.server", *flags, f"--ready_file={ready}", f"--parent_pid={os.getpid()}"],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[3],
        )
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        ports = json.loads(ready.read_text())
        yield Container(folder, ports["rest"], ports["grpc"])
    finally:
        process.terminate()
        process.wait(20)


def health_script(deployment: Deployment, container: Container) -> list[str]:
    """Returns the HEALTHCHECK's command, asking this server's port."""
    (value,) = instructions(deployment, "HEALTHCHECK")
    command: list[str] = json.loads(value.partition(" CMD ")[2])
    return [part.replace("/8501", f"/{container.rest}") for part in command]


def test_the_dockerfile_is_built_on_tf_serving(deployment: Deployment):
    assert parse(deployment).baseimage == deployment.server == "tensorflow/serving:2.19.1"
    assert instructions(deployment, "USER") == ["65532:65532"]
    assert instructions(deployment, "EXPOSE") == ["8500 8501"]
    assert instructions(deployment, "ENTRYPOINT") == ['["tensorflow_model_server"]']


def test_what_is_copied_is_there_and_not_ignored(deployment: Deployment):
    ignored, *kept = (line for line in (deployment.out / ".dockerignore").read_text().splitlines() if line[0] != "#")
    assert ignored == "*"
    sources = {source.rstrip("/") for sources, _ in copies(deployment) for source in sources}
    assert {f"!{source}" for source in sources} == set(kept)
    assert all((deployment.out / source).exists() for source in sources)


def test_the_image_answers_over_rest_and_grpc(container: Container):
    for address, over_grpc in ((f"http://127.0.0.1:{container.rest}", False), (f"127.0.0.1:{container.grpc}", True)):
        with Client(address, "half_plus_two", grpc=over_grpc) as client:
            answer = client.predict({"x": np.array([1.0, 2.0], np.float32)})
        np.testing.assert_allclose(answer["y"], [3.5, 4.0])  # version 10 adds three


def test_the_probes_of_kubernetes_succeed(deployment: Deployment, container: Container):
    manifest = yaml.safe_load((deployment.out / "kubernetes" / "deployment.yaml").read_text())
    (pod,) = manifest["spec"]["template"]["spec"]["containers"]
    path = pod["readinessProbe"]["httpGet"]["path"]
    with urllib.request.urlopen(f"http://127.0.0.1:{container.rest}{path}", timeout=10) as response:
        assert response.status == 200
    with grpc.insecure_channel(f"127.0.0.1:{container.grpc}") as channel:
        assert pod["livenessProbe"]["grpc"].keys() == {"port"}  # of the whole server, which is the empty request
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10) == SERVING


def test_prometheus_finds_metrics(deployment: Deployment, container: Container):
    path = yaml.safe_load((deployment.out / "prometheus.yml").read_text())["scrape_configs"][0]["metrics_path"]
    with urllib.request.urlopen(f"http://127.0.0.1:{container.rest}{path}", timeout=10) as response:
        assert b"# TYPE " in response.read()


@pytest.mark.skipif(shutil.which("bash") is None, reason="the image has bash; this machine does not")
def test_the_health_check_sees_every_model(deployment: Deployment, container: Container):
    command = health_script(deployment, container)
    assert subprocess.run(command, timeout=20).returncode == 0
    missing = [part.replace("half_plus_two text", "half_plus_two nope") for part in command]
    assert missing != command
    assert subprocess.run(missing, timeout=20).returncode == 1
    nobody = [part.replace(f"/{container.rest}", "/1") for part in command]
    assert subprocess.run(nobody, timeout=20, capture_output=True).returncode != 0


def test_compose_asks_the_same(deployment: Deployment, container: Container):
    compose: dict[str, Any] = yaml.safe_load((deployment.out / "compose.yaml").read_text())
    kind, *command = compose["services"]["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    (value,) = instructions(deployment, "HEALTHCHECK")
    # Compose replaces $NAME by a variable of its own, and $$ by $.
    assert not re.search(r"(?<!\$)\$(?!\$)", command[-1])
    assert [part.replace("$$", "$") for part in command] == json.loads(value.partition(" CMD ")[2])
