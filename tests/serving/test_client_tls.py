"""The client over TLS: certificates of its own authority, of the client, of others."""

import contextlib
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import trustme

from serving import protos
from serving.client import Client, Code, ServingError, Tls
from tests.serving.peers import STATUS, WAYS, Scripted, opened


class Certificates:
    """An authority's certificate, a server's and a client's, as files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        self.server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client@example.org")
        self.ca, self.certificate, self.key = folder / "ca.pem", folder / "client.pem", folder / "client.key"
        authority.cert_pem.write_to_path(str(self.ca))
        client.cert_chain_pems[0].write_to_path(str(self.certificate))
        client.private_key_pem.write_to_path(str(self.key))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates") / "ours")


@contextlib.contextmanager
def secured(certificates: Certificates, mutual: bool) -> Iterator[SimpleNamespace]:
    """Servers of both protocols that answer GetModelStatus over TLS; to known clients alone where `mutual`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.server.configure_cert(context)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca)
    messages = protos.get_model_status_pb2

    def status(request: bytes, _: Any) -> bytes:
        response = messages.GetModelStatusResponse()
        response.model_version_status.add(version=3, state=messages.ModelVersionStatus.AVAILABLE)
        return bytes(response.SerializeToString())

    methods = {"GetModelStatus": grpc.unary_unary_rpc_method_handler(status)}
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", methods)])
    pair = (certificates.server.private_key_pem.bytes(), certificates.server.cert_chain_pems[0].bytes())
    root = certificates.ca.read_bytes() if mutual else None
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], root, mutual))
    server.start()
    with Scripted((200, STATUS), context=context) as rest:
        yield SimpleNamespace(rest_url=rest.rest_url, grpc_address=f"127.0.0.1:{port}")
    server.stop(None)


@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_tls(way: str, mutual: bool, certificates: Certificates) -> None:
    own = {"certificate": certificates.certificate, "key": certificates.key} if mutual else {}
    tls = Tls(ca=certificates.ca, **own)
    with secured(certificates, mutual) as server, opened(way, server, "half", tls=tls) as client:
        for _ in range(2):
            assert client.status()[0]["version"] == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_is_not_trusted(way: str, certificates: Certificates, tmp_path: Path) -> None:
    other = Tls(ca=Certificates(tmp_path / "others").ca)
    with (
        secured(certificates, False) as server,
        opened(way, server, "half", tls=other) as client,
        pytest.raises(ServingError, match=r"certificate .*is not trusted: .*unable to get local issuer") as raised,
    ):
        client.status()
    assert raised.value.code == Code.UNAUTHENTICATED


def test_wrong_certificates_are_named(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="a client's certificate and its key are given together"):
        Tls(certificate=certificates.certificate)
    with pytest.raises(ServingError, match="certificates are for https, not for 'http:"):
        Client("http://127.0.0.1", "m", tls=Tls())
    for way in WAYS:
        server = SimpleNamespace(rest_url="https://127.0.0.1", grpc_address="127.0.0.1:1")
        for tls in (Tls(ca=tmp_path / "no.pem"), Tls(certificate=certificates.certificate, key=certificates.ca)):
            with (
                pytest.raises(ServingError, match=r"no PEM files that fit \(.*\.pem"),
                opened(way, server, "m", tls=tls),
            ):
                pass
