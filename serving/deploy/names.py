"""Names that Docker and Kubernetes accept."""

from __future__ import annotations

import re

LONGEST_LABEL = 50
"""Kubernetes allows 63 characters, and KServe makes host names of ours by adding to them."""
_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_HOST_PART}(?:\.{_HOST_PART})*(?::[0-9]+)?/)?{_PATH_PART}(?:/{_PATH_PART})*)"
    r"(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}))?"
)
_MODEL = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_STORAGE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/][^\s]*")


def split_image(image: str) -> tuple[str, str]:
    """Returns the name and the tag of an image reference, "" where it has no tag.

    Raises:
        ValueError: where Docker would refuse to build under that reference.
    """
    match = _IMAGE.fullmatch(image)
    if match is None:
        raise ValueError(
            f"image {image!r}: expected NAME or NAME:TAG in lower case, such as registry.example.com/team/serving:1"
        )
    return match["name"], match["tag"] or ""


def kubernetes_name(name: str) -> str:
    """Returns a name as a DNS label (RFC 1035): `u_net` becomes `u-net`.

    Raises:
        ValueError: where nothing of the name is a letter or a digit.
    """
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not label:
        raise ValueError(f"name {name!r}: Kubernetes needs a letter or a digit in it")
    if label[0].isdigit():
        label = f"n-{label}"
    return label[:LONGEST_LABEL].rstrip("-")


def check_model(name: str) -> None:
    """Raises ValueError for a model name that a URL, a Dockerfile or a shell would read differently."""
    if not _MODEL.fullmatch(name):
        raise ValueError(f"model {name!r}: expected letters, digits, '_', '.' and '-'; --model picks other models")


def storage(uri: str) -> str:
    """Returns the base of KServe's storage URIs without its last slash.

    Raises:
        ValueError: where it is no URI.
    """
    if not _STORAGE.fullmatch(uri):
        raise ValueError(
            f"storage URI {uri!r}: expected pvc://CLAIM[/FOLDER], gs://BUCKET/FOLDER, s3://... or the like"
        )
    return uri.rstrip("/")
