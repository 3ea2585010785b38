"""TF Serving's JSON about models: the status of their versions, and their signatures."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from serving import protos
from serving.server.versions import VersionStatus


def statuses(versions: Iterable[VersionStatus]) -> bytes:
    """Returns the JSON body that answers a request for the status of versions."""
    written = [
        {
            "version": str(status.version),
            "state": status.state,
            "status": {"error_code": status.code.name, "error_message": status.message},
        }
        for status in versions
    ]
    return (json.dumps({"model_version_status": written}, indent=1) + "\n").encode()


def metadata(name: str, version: int, signature_defs: Mapping[str, Any]) -> bytes:
    """Returns the JSON body that answers a request for metadata.

    Args:
        name: the model's.
        version: the version's number.
        signature_defs: SignatureDef messages by name.
    """
    signatures = protos.get_model_metadata_pb2.SignatureDefMap()
    for key, definition in signature_defs.items():
        signatures.signature_def[key].CopyFrom(definition)
    answer = {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": _with_defaults(signatures)},
    }
    return (json.dumps(answer, indent=1) + "\n").encode()


def _with_defaults(message: Any) -> dict[str, Any]:
    """Returns a message as JSON has it: fields without a value too, 64-bit integers as strings."""
    from google.protobuf import json_format

    known = inspect.signature(json_format.MessageToDict).parameters
    option = "always_print_fields_with_no_presence"  # called otherwise before protobuf 5
    option = option if option in known else "including_default_value_fields"
    options: dict[str, Any] = {option: True, "preserving_proto_field_name": True}
    written: dict[str, Any] = json_format.MessageToDict(message, **options)
    return written
