"""Malformed REST requests, by the kind of what is wrong with them."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator

from benchmarks.serving.abuse.attack import Attack
from benchmarks.serving.abuse.broken_http import ATOMS, CHUNKS, HEADS, METHODS, PATHS
from benchmarks.serving.models import HALF, LENET5
from benchmarks.serving.requests import input_name, jsonable, rows


def post(body: bytes, path: str = f"/v1/models/{HALF}:predict", headers: str = "", length: int | None = None) -> bytes:
    """Returns a POST as it travels; `length` may lie."""
    size = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {size}\r\n\r\n"
    return head.encode("latin-1", "replace") + body


def _model(rng: random.Random) -> tuple[str, str, bytes]:
    """Returns a model, its path and a good body."""
    model = rng.choice((HALF, LENET5))
    values = rows(model, rng.randint(1, 3), rng.randrange(100))
    document = {"instances": [{input_name(model): jsonable(value)} for value in values]}
    return model, f"/v1/models/{model}:predict", json.dumps(document).encode()


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Returns `data` with a few bits, bytes or stretches changed, doubled or lost."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        what = rng.randrange(5)
        if what == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            changed[at:at] = rng.randbytes(rng.randint(1, 4))
        elif what == 2:
            del changed[at : at + rng.randint(1, 8)]
        elif what == 3:
            changed[at:at] = changed[at : at + rng.randint(1, 30)]
        else:
            del changed[at:]
    return bytes(changed)


def _mutated_body(rng: random.Random) -> Attack:
    _, path, body = _model(rng)
    return Attack("REST mutated body", post(mutated(rng, body), path))


def _wrong_values(rng: random.Random) -> Attack:
    model, path, _ = _model(rng)
    atom = lambda: rng.choice(ATOMS)  # noqa: E731
    shapes: list[Callable[[], str]] = [
        lambda: atom(),
        lambda: f'{{"instances": {atom()}}}',
        lambda: f'{{"instances": [{atom()}, {atom()}]}}',
        lambda: f'{{"inputs": {atom()}}}',
        lambda: f'{{"instances": [{{"{input_name(model)}": {atom()}}}]}}',
        lambda: f'{{"inputs": {{"{input_name(model)}": [{atom()}]}}, "instances": [1]}}',
        lambda: f'{{"instances": [1, 2], "signature_name": {atom()}}}',
        lambda: f'{{"instances": [{{"none": {atom()}}}, {{"{input_name(model)}": {atom()}}}]}}',
        lambda: f'{{"instances": [1], "instances": {atom()}}}',
        lambda: f'{{"examples": [{{"x": {atom()}}}], "context": {atom()}}}',
    ]
    verb = rng.choice(("predict", "predict", "predict", "classify", "regress"))
    body = rng.choice(shapes)().encode("latin-1")
    return Attack("REST wrong values", post(body, path.replace("predict", verb)))


def _deep(rng: random.Random) -> Attack:
    depth = rng.choice((50, 500, 5000, 50000))
    opening = rng.choice(("[", '{"a":', '{"instances":['))
    body = opening * depth + (rng.choice(("", "1" + "]" * depth)) if opening == "[" else "")
    return Attack("REST deep JSON", post(b'{"instances": ' + body.encode() + b"}"))


def _method(rng: random.Random) -> Attack:
    request = post(b'{"instances": [1]}', rng.choice((f"/v1/models/{HALF}:predict", f"/v1/models/{HALF}", "/")))
    return Attack("REST wrong method", rng.choice(METHODS).encode() + request.removeprefix(b"POST"))


def _path(rng: random.Random) -> Attack:
    path = rng.choice(PATHS)
    if rng.random() < 0.3:
        path += "".join(chr(rng.randint(33, 126)) for _ in range(rng.randint(1, 20)))
    return Attack("REST odd path", post(b'{"instances": [1]}', path))


def _head(rng: random.Random) -> Attack:
    data = rng.choice(HEADS)
    return Attack("REST broken head", data if rng.random() < 0.7 else mutated(rng, data), complete=False)


def _chunked(rng: random.Random) -> Attack:
    head = f"POST /v1/models/{HALF}:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return Attack("REST broken chunks", head + rng.choice(CHUNKS), complete=False)


def _gzip(rng: random.Random) -> Attack:
    packed = gzip.compress(b'{"instances": [1.0, 2.0]}', mtime=0)
    body = rng.choice((mutated(rng, packed), rng.randbytes(50), b'{"instances": [1.0]}', packed[:-4]))
    encoding = rng.choice(("gzip", "deflate", "br", "gzip, gzip", "none"))
    return Attack("REST broken compression", post(body, headers=f"Content-Encoding: {encoding}\r\n"))


def _half_closed(rng: random.Random) -> Attack:
    _, path, body = _model(rng)
    request = post(body, path)
    return Attack("REST half-closed", request[: rng.randrange(1, len(request))], complete=False)


def _raw(rng: random.Random) -> Attack:
    return Attack("REST random bytes", rng.randbytes(rng.randint(1, 2000)), complete=False)


KINDS: tuple[tuple[Callable[[random.Random], Attack], int], ...] = (
    (_mutated_body, 10),
    (_wrong_values, 10),
    (_deep, 2),
    (_method, 3),
    (_path, 4),
    (_head, 3),
    (_chunked, 2),
    (_gzip, 3),
    (_half_closed, 2),
    (_raw, 1),
)


def light(rng: random.Random) -> Attack:
    """Returns any one of the small attacks."""
    return rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0](rng)


def slow(rng: random.Random) -> Attack:
    """Returns a sender that needs seconds for a few bytes of its head or of its body, and gives up."""
    request = post(b'{"instances": [1.0, 2.0, 3.0]}')
    body = rng.random() < 0.5
    part = request[-25:] if body else request[:25]
    data = part if not body else post(b"", length=1000) + part
    return Attack(f"REST slow {'body' if body else 'head'}", data, complete=False, pause=0.05 if body else 0.15)


def heavy(megabytes: int) -> Iterator[Attack]:
    """Gives bodies of so many megabytes, one at a time."""
    size = megabytes << 20
    numbers = b'{"instances": [' + b"1.5," * (size // 4) + b"2]}"
    yield Attack("REST large: numbers", post(numbers), heavy=True)
    yield Attack("REST large: numbers, cut", post(numbers[:-2]), heavy=True)
    del numbers
    text = base64.b64encode(bytes(size * 3 // 4))
    yield Attack(
        "REST large: base64",
        post(b'{"instances": [{"b64": "' + text + b'"}]}', f"/v1/models/{LENET5}:predict"),
        heavy=True,
    )
    yield Attack(
        "REST large: not base64",
        post(b'{"instances": [{"b64": "' + b"!" * size + b'"}]}', f"/v1/models/{LENET5}:predict"),
        heavy=True,
    )
    del text
    yield Attack("REST large: spaces", post(b" " * size), heavy=True)
    yield Attack("REST large: brackets", post(b"[" * size), heavy=True)
    yield Attack("REST large: rows", post(b'{"instances": [' + b"[]," * (size // 3) + b"[]]}"), heavy=True)
    yield Attack("REST large: half-closed", post(b"1" * size, length=2 * size), complete=False, heavy=True)
    packed = gzip.compress(b'{"instances": [' + b" " * size + b"1]}", mtime=0)
    yield Attack("REST gzip bomb", post(packed, headers="Content-Encoding: gzip\r\n"), heavy=True)
