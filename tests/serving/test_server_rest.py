"""REST: what a client of TF Serving sees."""

import base64
import gzip
import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.process import ModelServer


def ask(
    server: ModelServer, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(urlsplit(server.rest_url).netloc, timeout=30)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        assert response.getheader("Content-Type", "").startswith("application/json")
        return response.status, json.loads(response.read().decode("utf-8", "surrogateescape"))
    finally:
        connection.close()


def predict(server: ModelServer, name: str, body: object) -> tuple[int, dict]:
    return ask(server, "POST", f"/v1/models/{name}:predict", body)


def test_row_format(server: ModelServer) -> None:
    assert predict(server, "half", {"instances": [1.0, 2, 5]}) == (200, {"predictions": [2.5, 3.0, 4.5]})
    assert predict(server, "half", {"instances": [{"x": 1.0}]}) == (200, {"predictions": [2.5]})


def test_column_format(server: ModelServer) -> None:
    assert predict(server, "half", {"inputs": [1.0, 2.0]}) == (200, {"outputs": [2.5, 3.0]})
    assert predict(server, "half", {"inputs": {"x": []}}) == (200, {"outputs": []})


def test_several_inputs_of_a_tf1_model(server: ModelServer) -> None:
    rows = [{"count": 1, "weight": [1, 2]}, {"count": 2, "weight": [0.5, 0]}]
    columns = {"count": [1, 2], "weight": [[1, 2], [0.5, 0]]}
    assert predict(server, "tf1", {"instances": rows}) == (200, {"predictions": [10.0, 3.5]})
    assert predict(server, "tf1", {"inputs": columns}) == (200, {"outputs": [10.0, 3.5]})


def test_signature_name_and_a_table_from_an_asset(server: ModelServer) -> None:
    body = {"signature_name": "lookup", "instances": ["dog", "cat", "newt"]}
    assert predict(server, "tf1", body) == (200, {"predictions": [1, 0, -1]})


def test_base64_in_and_bytes_out(server: ModelServer) -> None:
    packed = {"b64": base64.b64encode(b"\xff\x00").decode()}
    status, answer = predict(server, "text", {"instances": [packed, "ab"]})
    assert status == 200
    first, second = answer["predictions"]
    assert first["raw_bytes"] == packed
    assert second["raw_bytes"] == {"b64": "YWI="}
    assert second["upper"] == "AB"
    assert (first["length"], first["long"], first["is_empty"]) == (2, 20_000_000_000, False)
    status, answer = predict(server, "text", {"inputs": {"text": ["\u00e9", "x" * 100]}})
    assert status == 200
    assert answer["outputs"]["upper"] == ["\u00e9", "X" * 100]


def test_infinity_and_nan(server: ModelServer) -> None:
    status, answer = predict(server, "text", {"instances": [""]})
    assert status == 200
    assert answer["predictions"][0]["rates"] == [float("inf"), 0.0]
    status, answer = predict(server, "half", b'{"instances": [NaN, -Infinity, 0.1]}')
    assert status == 200
    assert answer["predictions"][0] != answer["predictions"][0]
    assert answer["predictions"][1:] == [float("-inf"), 2.05]


def test_model_status_and_metadata(server: ModelServer) -> None:
    available = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/half", "/v1/models/half/versions/1"):
        assert ask(server, "GET", path) == (200, {"model_version_status": [available]})
    status, answer = ask(server, "GET", "/v1/models/half/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "half", "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


@pytest.mark.parametrize(
    ("path", "body", "code", "message"),
    [
        ("nope:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(nope)"),
        ("half/versions/7:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(half, 7)"),
        ("half:predict", b"", 400, "JSON Parse error: The document is empty"),
        ("half:predict", b"{", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
        ("half:predict", b"[" * 100_000, 400, "JSON Parse error"),
        ("half:predict", b"[1]", 400, "Is not object"),
        ("half:predict", b'{"instances": "\\ud800"}', 400, "to be an list/array"),
        ("text:predict", b'{"instances": ["\\ud800"]}', 400, "surrogate pair"),
        ("half:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("half:predict", {"instances": []}, 400, "No values in 'instances' array"),
        ("half:predict", {"instances": [1], "inputs": [1]}, 400, "expecting only one of"),
        ("half:predict", {"instances": [1], "signature_name": 3}, 400, "'signature_name' key must be a string"),
        ("half:predict", {"instances": [1], "signature_name": "q"}, 400, 'name: "q" not found in signature def'),
        ("half:predict", {"instances": ["a"]}, 400, 'JSON Value: "a" Type: String is not of expected type: float'),
        ("half:predict", {"instances": [True]}, 400, "Type: True is not of expected type: float"),
        ("half:predict", {"instances": [1 << 25]}, 400, "to float without loss of precision."),
        ("half:predict", {"instances": [1e300]}, 400, "to float without loss of precision."),
        ("half:predict", {"instances": [1, [2]]}, 400, "Failed to process element: 1 of 'instances' list."),
        ("half:predict", {"instances": [{"x": 1}, 2]}, 400, "Expecting object but got list at item 1"),
        ("half:predict", {"instances": [{"z": 1}]}, 400, "does not have named input: z"),
        ("half:predict", {"inputs": {"z": [1]}}, 400, "Missing named input: x in 'inputs' object."),
        ("half:predict", {"inputs": [[1, 2], [3]]}, 400, "Encountered list at unexpected size: 1 at level: 1"),
        ("tf1:predict", {"instances": [1]}, 400, "expecting list of objects as multiple input tensors"),
        ("tf1:predict", {"instances": [{"count": 1.5, "weight": [1, 2]}]}, 400, "not of expected type: int64"),
        ("tf1:predict", {"instances": [{"count": 1}]}, 400, "keys must be equal to: count,weight"),
        ("text:predict", {"instances": [{"b64": "%"}]}, 400, "Unable to base64 decode"),
        ("half:classify", {"examples": [{}]}, 400, "Expected classification signature method_name to be"),
        ("half:predict?a=b", {"instances": [1]}, 400, "Malformed request: POST /v1/models/half:predict?a=b"),
        ("half:PREDICT", {"instances": [1]}, 400, "Malformed request"),
        ("half/labels/canary:predict", {"instances": [1]}, 400, "Unrecognized servable version label: canary"),
        ("half:predict", b'{"inputs": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}", 400, "more than 32 dimensions"),
        ("half:predict", b'{"instances": {"a":' + b"[" * 900 + b"]" * 900 + b"}}", 400, ""),
        ("half:frobnicate", {}, 400, "Malformed request: POST /v1/models/half:frobnicate"),
        ("half/versions/99999999999999999999:predict", {}, 400, "to numeric"),
    ],
)
def test_errors(server: ModelServer, path: str, body: object, code: int, message: str) -> None:
    status, answer = ask(server, "POST", f"/v1/models/{path}", body)
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert status == code


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/v1/models/nope", 404, "Could not find any versions of model nope"),
        ("/v1/models/half/versions/7", 404, "Could not find version 7 of model half"),
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/half:predict", 400, "Malformed request: GET /v1/models/half:predict"),
        ("/v1/elsewhere", 400, "Malformed request: GET /v1/elsewhere"),
        ("/v1/models/half/labels/canary", 400, "Unrecognized servable version label: canary"),
    ],
)
def test_errors_of_get(server: ModelServer, path: str, code: int, message: str) -> None:
    assert ask(server, "GET", path) == (code, {"error": message})


def test_a_shape_that_the_graph_refuses(server: ModelServer) -> None:
    status, answer = predict(server, "tf1", {"inputs": {"count": [1, 2, 3], "weight": [[1, 2], [3, 4]]}})
    assert status == 400
    assert "shape" in answer["error"].lower()
    assert predict(server, "half", {"instances": [1.0]})[0] == 200


def test_a_path_outside_the_api(server: ModelServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.rest_url).netloc, timeout=30)
    connection.request("GET", "/elsewhere")
    response = connection.getresponse()
    assert (response.status, response.getheader("Content-Type")) == (404, "text/html")
    assert b"<H1>Not Found</H1>" in response.read()
    connection.close()


def test_a_gzip_body(server: ModelServer) -> None:
    headers, path = {"Content-Encoding": "gzip"}, "/v1/models/half:predict"
    packed = gzip.compress(json.dumps({"instances": [1.0] * 50_000}).encode())
    assert ask(server, "POST", path, packed, headers) == (200, {"predictions": [2.5] * 50_000})
    for broken in (packed[:100], b"plain"):
        status, answer = ask(server, "POST", path, broken, headers)
        assert status == 400
        assert "cannot be read" in answer["error"]


def test_a_body_larger_than_small_ones_is_answered_too(server: ModelServer) -> None:
    numbers = [float(number) for number in range(40_000)]
    halves = [number / 2 + 2 for number in numbers]
    assert predict(server, "half", {"instances": numbers}) == (200, {"predictions": halves})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "b64", "text", "count", "weight", "inputs"]), inner, max_size=3)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(
    st.sampled_from(["instances", "inputs", "examples", "context", "signature_name"]), json_values, max_size=3
)


@given(
    model=st.sampled_from(["half", "tf1", "text"]),
    verb=st.sampled_from(["predict", "classify", "regress"]),
    body=bodies | json_values,
)
@settings(max_examples=300, deadline=None)
def test_whatever_json_comes_is_the_clients_fault(server: ModelServer, model: str, verb: str, body: object) -> None:
    status, answer = ask(server, "POST", f"/v1/models/{model}:{verb}", json.dumps(body).encode())
    assert status == 200 or (400 <= status < 500 and list(answer) == ["error"]), answer
