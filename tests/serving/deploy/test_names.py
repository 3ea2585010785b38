"""Names that Docker and Kubernetes accept."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.deploy import names


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("lenet5", ("lenet5", "")),
        ("ann-serving:1", ("ann-serving", "1")),
        ("team/u_net:2024.Q1", ("team/u_net", "2024.Q1")),
        ("localhost:5000/serving", ("localhost:5000/serving", "")),
        ("Registry.Example.com:5000/a/b__c:latest", ("Registry.Example.com:5000/a/b__c", "latest")),
    ],
)
def test_an_image_is_split_into_its_name_and_tag(image: str, expected: tuple[str, str]):
    assert names.split_image(image) == expected


@pytest.mark.parametrize(
    "image",
    ["", "Upper", "a:b:c", "a:", ":1", "a b", "a/", "-a", "a@sha256:0", "a:-1", "a\n", "a..b", "a:" + "t" * 129],
)
def test_a_wrong_image_is_named(image: str):
    with pytest.raises(ValueError, match=re.escape(repr(image))):
        names.split_image(image)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lenet5", "lenet5"), ("u_net", "u-net"), ("FCN.8s_", "fcn-8s"), ("3d", "n-3d"), ("a" * 90, "a" * 50)],
)
def test_a_model_has_a_name_in_kubernetes(name: str, expected: str):
    assert names.kubernetes_name(name) == expected


@given(st.text(max_size=120))
def test_every_name_is_a_dns_label_or_an_error(name: str):
    try:
        label = names.kubernetes_name(name)
    except ValueError as error:
        assert repr(name) in str(error)
        assert not re.search("[a-z0-9]", name.lower())
    else:
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", label)


@pytest.mark.parametrize("name", ["a b", "a'b", "../a", "-a", "a$b", "ü", ""])
def test_a_model_name_that_a_shell_reads_differently_is_refused(name: str):
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        names.check_model(name)


def test_a_storage_uri_loses_its_last_slash():
    assert names.storage("gs://bucket/serving/") == "gs://bucket/serving"
    for wrong in ("models", "pvc://", "gs:///x", "gs://a b"):
        with pytest.raises(ValueError, match="storage URI"):
            names.storage(wrong)
