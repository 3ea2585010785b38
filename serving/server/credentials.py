"""TLS for gRPC from TF Serving's SSL config file."""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import Any

import grpc

from serving.errors import Code, ServingError


def server_credentials(config: Any, path: str) -> grpc.ServerCredentials:
    """Returns what a secure port needs.

    Args:
        config: an SSLConfig message, whose texts are PEM.
        path: the file that it was read from, for errors.

    Raises:
        ServingError: INVALID_ARGUMENT where the key, the certificates or their combination cannot be used.
    """
    _check(config, path)
    authorities = config.custom_ca.encode() or None
    pairs = [(config.server_key.encode(), config.server_cert.encode())]
    return grpc.ssl_server_credentials(pairs, authorities, require_client_auth=config.client_verify)


def _check(config: Any, path: str) -> None:
    """Raises for what gRPC would only complain of at the first connection."""
    for name in ("server_key", "server_cert"):
        if not getattr(config, name):
            raise ServingError(Code.INVALID_ARGUMENT, f"SSL config file {path}: {name} is empty")
    if config.client_verify and not config.custom_ca:
        message = f"SSL config file {path}: client_verify needs custom_ca, which signs the clients' certificates"
        raise ServingError(Code.INVALID_ARGUMENT, message)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        for name in ("server_key", "server_cert"):
            handle = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(getattr(config, name))
        try:
            context.load_cert_chain(os.path.join(folder, "server_cert"), os.path.join(folder, "server_key"), "")
        except ssl.SSLError as error:
            message = f"SSL config file {path}: server_key and server_cert: {error.reason or error}"
            raise ServingError(Code.INVALID_ARGUMENT, message) from None
    try:
        if config.custom_ca:
            context.load_verify_locations(cadata=config.custom_ca)
    except ssl.SSLError as error:
        message = f"SSL config file {path}: custom_ca: {error.reason or error}"
        raise ServingError(Code.INVALID_ARGUMENT, message) from None
