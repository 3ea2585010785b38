"""Where a client finds a server, and how it makes sure that it is the right one."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from serving.errors import Code, ServingError

GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", (1 << 31) - 1),
    ("grpc.max_send_message_length", (1 << 31) - 1),
    ("grpc.enable_http_proxy", 0),
    # gRPC waits between two attempts to connect, up to 2 minutes by default; a call fails at once meanwhile.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]

_Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Tls:
    """What a client checks a server's certificate by, and what it shows of its own. All are paths of PEM files.

    Attributes:
        ca: certificates of the authorities to trust; the system's where None.
        certificate: the client's own, for a server that asks for one.
        key: its private key.
    """

    ca: _Path | None = None
    certificate: _Path | None = None
    key: _Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ServingError(Code.INVALID_ARGUMENT, "a client's certificate and its key are given together")

    def context(self) -> ssl.SSLContext:
        """Returns what Python's own connections take."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # ssl's errors are of this kind too
            given = ", ".join(str(path) for path in (self.ca, self.certificate, self.key) if path is not None)
            raise ServingError(Code.INVALID_ARGUMENT, f"no PEM files that fit ({given}): {error}") from None
        return context

    def credentials(self) -> Any:
        """Returns what a gRPC channel takes."""
        import grpc

        self.context()  # gRPC itself says nothing about files that do not fit, and only fails to connect
        ca, certificate, key = (None if path is None else _read(path) for path in (self.ca, self.certificate, self.key))
        return grpc.ssl_channel_credentials(ca, key, certificate)


def _read(path: _Path) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class RestAddress(NamedTuple):
    """A REST server. `prefix` is the path before "/v1"; `tls` None means plain HTTP."""

    host: str
    port: int
    prefix: str
    tls: Tls | None

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"{'https' if self.tls else 'http'}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """The host and the port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def rest_address(address: str, tls: Tls | None) -> RestAddress:
    """Reads "http://host:port", "https://host:port" or "host:port", a path allowed."""
    wrong = ServingError(Code.INVALID_ARGUMENT, f"{address!r} is no address such as http://127.0.0.1:8501")
    scheme = "http" if tls is None else "https"
    try:
        parts = urlsplit(address if "//" in address else f"{scheme}://{address}")
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise wrong
    if parts.scheme == "http" and tls is not None:
        raise ServingError(Code.INVALID_ARGUMENT, f"certificates are for https, not for {address!r}")
    if parts.scheme == "https" and tls is None:
        tls = Tls()
    return RestAddress(parts.hostname, port or (443 if tls else 80), quote(parts.path.rstrip("/"), safe="/%"), tls)


def grpc_target(address: str) -> str:
    """Returns a gRPC address, checked: "host:port"."""
    if not address or "//" in address:
        raise ServingError(Code.INVALID_ARGUMENT, f"{address!r} is no gRPC address such as 127.0.0.1:8500")
    return address


def no_answer(address: RestAddress, error: BaseException) -> ServingError:
    """Returns what a failed exchange over HTTP comes to."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):  # two classes in Python 3.10
        return ServingError(Code.DEADLINE_EXCEEDED, f"no answer from {address.netloc} in time")
    for cause in (error.__cause__, error):  # aiohttp's own error stands for Python's
        if isinstance(cause, ssl.SSLCertVerificationError):  # which no second attempt mends
            message = f"the certificate of {address.netloc} is not trusted: {cause.verify_message}"
            return ServingError(Code.UNAUTHENTICATED, message)
    return ServingError(Code.UNAVAILABLE, f"no answer from {address.netloc}: {error or type(error).__name__}")


def rpc_failure(error: Any) -> ServingError:
    """Returns what a gRPC error comes to."""
    code, details = Code(error.code().value[0]), str(error.details())
    if code == Code.UNAVAILABLE and "CERTIFICATE_VERIFY_FAILED" in details:  # which no second attempt mends
        return ServingError(Code.UNAUTHENTICATED, f"the server's certificate is not trusted: {details}")
    return ServingError(code, details)
