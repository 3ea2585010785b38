"""TensorProtos: strings packed as TensorFlow packs them, and shapes that promise more than there is."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from serving import protos, tensors
from serving.errors import Code, ServingError


def packed(strings: list[bytes], content: bytes) -> object:
    proto = protos.tensor_pb2.TensorProto(dtype=tensors.STRING, tensor_content=content)
    proto.tensor_shape.dim.add(size=len(strings))
    return proto


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_strings_in_the_content(strings: list[bytes]) -> None:
    content = b"".join(varint(len(one)) for one in strings) + b"".join(strings)
    assert tensors.from_proto(packed(strings, content), "x").tolist() == strings


@pytest.mark.parametrize("content", [b"\x02a", b"\x01ab", b"\x80", b"\xff\xff\xff\xff\xff\x01a", b"\x01"])
def test_content_that_is_no_strings(content: bytes) -> None:
    with pytest.raises(ServingError, match="tensor parsing error: x") as raised:
        tensors.from_proto(packed([b"a"], content), "x")
    assert raised.value.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("data_type", "shape"),
    [(1, [1 << 40]), (1, [1 << 31, 0, 1 << 40]), (2, [1 << 20, 1 << 20])],
)
def test_a_shape_that_promises_too_much(data_type: int, shape: list[int]) -> None:
    proto = protos.tensor_pb2.TensorProto(dtype=data_type)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    with pytest.raises(ServingError) as raised:
        tensors.from_proto(proto, "x")
    assert raised.value.code == Code.INVALID_ARGUMENT


def test_more_strings_than_the_server_takes() -> None:
    with pytest.raises(ServingError, match="a tensor of 4194305 strings is larger than the 4194304") as raised:
        tensors.from_proto(packed([b""] * (tensors.MOST_STRINGS + 1), b"\x00"), "x")
    assert raised.value.code == Code.RESOURCE_EXHAUSTED


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=20))
def test_numbers_as_tensorflow_reads_and_writes_them(values: list[float]) -> None:
    array = np.array(values, np.float32)
    np.testing.assert_array_equal(tf.make_ndarray(tensors.to_proto(array)), array)
    np.testing.assert_array_equal(tensors.from_proto(tf.make_tensor_proto(array), "x"), array)
