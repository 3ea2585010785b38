"""Where the server answers: TLS, client certificates, a UNIX socket, no REST, health, metrics; and its limits."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving import protos
from serving.process import ModelServer
from serving.server import rest_server

Wait = Callable[[Callable[[], bool]], None]


@contextlib.contextmanager
def served(saved_models: Path, *flags: str) -> Iterator[ModelServer]:
    with ModelServer({"half": saved_models / "half"}, embedded=True, flags=flags) as server:
        yield server


def ask(channel: grpc.Channel) -> list[float]:
    method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    request = protos.predict_pb2.PredictRequest()
    request.model_spec.name = "half"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=1)
    request.inputs["x"].float_val.append(2.0)
    answer = protos.predict_pb2.PredictResponse.FromString(method(request.SerializeToString(), timeout=20))
    return list(answer.outputs["y"].float_val)


class Authority:
    """A certificate authority, a server's certificate and a client's."""

    def __init__(self) -> None:
        self.itself = trustme.CA()
        self.server = self.itself.issue_cert("localhost", "127.0.0.1")
        self.client = self.itself.issue_cert("client@example.org")
        self.root = self.itself.cert_pem.bytes()

    def config(self, path: Path, client_verify: bool = False, cert: "trustme.LeafCert | None" = None) -> Path:
        def quoted(pem: bytes) -> str:
            return '"' + pem.decode().replace("\n", "\\n") + '"'

        chain = b"".join(blob.bytes() for blob in (cert or self.server).cert_chain_pems)
        path.write_text(
            f"server_key: {quoted(self.server.private_key_pem.bytes())}\nserver_cert: {quoted(chain)}\n"
            f"custom_ca: {quoted(self.root)}\nclient_verify: {str(client_verify).lower()}\n"
        )
        return path


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_tls(authority: Authority, saved_models: Path, tmp_path: Path) -> None:
    config = authority.config(tmp_path / "ssl.config")
    with served(saved_models, f"--ssl_config_file={config}") as server:
        with grpc.secure_channel(server.grpc_address, grpc.ssl_channel_credentials(authority.root)) as channel:
            assert ask(channel) == [4.0]
        with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError):
            ask(channel)
        with urllib.request.urlopen(f"{server.rest_url}/v1/models/half") as answer:  # in clear, as TF Serving's
            assert answer.status == 200


def test_client_certificates(authority: Authority, saved_models: Path, tmp_path: Path) -> None:
    config = authority.config(tmp_path / "ssl.config", client_verify=True)
    key = authority.client.private_key_pem.bytes()
    with served(saved_models, f"--ssl_config_file={config}") as server:
        known = grpc.ssl_channel_credentials(authority.root, key, authority.client.cert_chain_pems[0].bytes())
        with grpc.secure_channel(server.grpc_address, known) as channel:
            assert ask(channel) == [4.0]
        stranger = trustme.CA().issue_cert("client@example.org")
        other = grpc.ssl_channel_credentials(
            authority.root, stranger.private_key_pem.bytes(), stranger.cert_chain_pems[0].bytes()
        )
        for credentials in (grpc.ssl_channel_credentials(authority.root), other):
            with grpc.secure_channel(server.grpc_address, credentials) as channel, pytest.raises(grpc.RpcError):
                ask(channel)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "server_key is empty"),
        ('server_key: "k" server_cert: "c"', "server_key and server_cert: "),
        ('server_key: "k" server_cert: "c" client_verify: true', "client_verify needs custom_ca"),
        ("server_keys: 1", "Invalid protobuf file: "),
    ],
)
def test_a_wrong_ssl_config_is_one_line(text: str, message: str, saved_models: Path, tmp_path: Path) -> None:
    (tmp_path / "ssl.config").write_text(text)
    arguments = (f"--ssl_config_file={tmp_path}/ssl.config", f"--model_base_path={saved_models}/half", "--port=0")
    ended = subprocess.run(
        [sys.executable, "-m", "serving.server", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: SSL config file")
    assert message in line


def test_a_key_of_another_certificate(authority: Authority, saved_models: Path, tmp_path: Path) -> None:
    from serving.errors import ServingError
    from serving.server.config_protos import read_ssl_config
    from serving.server.credentials import server_credentials

    config = authority.config(tmp_path / "ssl.config", cert=authority.client)
    with pytest.raises(ServingError, match="KEY_VALUES_MISMATCH"):
        server_credentials(read_ssl_config(str(config)), str(config))


def test_a_unix_socket_and_nothing_else(saved_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    arguments = (
        "--port=0",
        f"--grpc_socket_path={path}",
        f"--model_base_path={saved_models}/half",
        "--model_name=half",
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "serving.server", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == f"ready: half version 2; gRPC at unix:{path}\n"
    with grpc.insecure_channel(f"unix:{path}") as channel:
        assert ask(channel) == [4.0]
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=20)
    assert server.returncode == 0


def test_health_and_channel_arguments(saved_models: Path) -> None:
    flags = ("--enable_grpc_healthcheck_service", "--grpc_channel_arguments=grpc.max_connection_age_ms=200000,a.b=text")
    with served(saved_models, *flags) as server, grpc.insecure_channel(server.grpc_address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as raised:
            stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=20)
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
        watching = stub.Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        assert server.process is not None
        server.process.terminate()
        assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_health_is_off_unless_asked_for(saved_models: Path) -> None:
    with served(saved_models) as server, grpc.insecure_channel(server.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_metrics_are_served_where_the_config_says(saved_models: Path, tmp_path: Path) -> None:
    (tmp_path / "monitoring.config").write_text('prometheus_config { enable: true path: "/metrics" }')
    with served(saved_models, f"--monitoring_config_file={tmp_path}/monitoring.config") as server:
        with grpc.insecure_channel(server.grpc_address) as channel:
            ask(channel)
        with urllib.request.urlopen(f"{server.rest_url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert ':tensorflow:serving:request_count{model_name="half",status="OK"} 1' in lines
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{server.rest_url}/monitoring/prometheus/metrics")


def test_a_label_at_the_start_is_one_line(saved_models: Path, tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{saved_models}/half" model_platform: "tensorflow" '
        'version_labels { key: "stable" value: 2 } } }'
    )
    arguments = (f"--model_config_file={tmp_path}/models.config", "--port=0")
    ended = subprocess.run(
        [sys.executable, "-m", "serving.server", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert "Request to assign label to version 2 of model half, which is not currently available" in ended.stderr


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_server, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(rest_server, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(rest_server, "MAX_CONNECTIONS", 3)


@pytest.fixture
def limited(hurried: None) -> Iterator[int]:
    """The port of a server with small limits that answers with the size of the body."""
    loop, ports, stop = asyncio.new_event_loop(), list[int](), asyncio.Event()
    ready = threading.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def run() -> None:
        runner = web.ServerRunner(rest_server.RestServer(handle), shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait(20)
    yield ports[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


def reply(sent: socket.socket) -> bytes:
    """What comes until the other side closes."""
    sent.settimeout(20)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sent.recv(4096):
            data += part
    return data


@pytest.mark.parametrize(
    "start",
    [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["none", "head", "body"],
)
def test_slow_senders_are_let_go(limited: int, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", limited)) as slow:
        slow.sendall(start)
        assert reply(slow) == b""


def test_large_bodies_wait_for_each_other_and_not_for_ever() -> None:
    async def run() -> None:
        budget = rest_server._Budget(10)
        first = await budget.take(8)
        second = asyncio.create_task(budget.take(99))
        await asyncio.sleep(0)
        assert await budget.take(2) == 2
        await budget.give_back(first)
        await asyncio.sleep(0)
        assert not second.done()
        await budget.give_back(2)
        assert await second == 10

    asyncio.run(asyncio.wait_for(run(), 20))


def test_too_many_connections_are_closed(limited: int, wait_until: Wait) -> None:
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", limited))) for _ in range(4)]
        assert reply(opened[-1]) == b""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"

    def answers() -> bool:
        with socket.create_connection(("127.0.0.1", limited)) as good:
            good.sendall(head)
            return reply(good).endswith(b"\r\n\r\n2")

    wait_until(answers)
