"""Attacks are the same for a seed, and what is held against a server is what TF Serving would not do."""

import asyncio
import itertools
import json
import random
from collections.abc import Callable

import pytest

from benchmarks import serving_abuse
from benchmarks.serving.abuse import grpc, rest
from benchmarks.serving.abuse.attack import CLOSED, HANG, Attack, Attacker, is_bad, status_of


def test_a_seed_gives_the_same_attacks() -> None:
    first, again, other = (list(serving_abuse.attacks(300, seed)) for seed in (1, 1, 2))
    assert first == again != other
    kinds = {attack.kind for attack in first}
    assert {"REST mutated body", "REST wrong values", "gRPC mutated message", "gRPC impossible shape"} <= kinds


@pytest.mark.parametrize(
    ("attack", "outcome", "bad"),
    [
        (Attack("a", b""), "HTTP 400: no", False),
        (Attack("a", b""), "HTTP 500: oh", True),
        (Attack("REST wrong method", b""), "HTTP 501: no", False),
        (Attack("a", b""), "HTTP 501: no", True),
        (Attack("a", b""), CLOSED, True),
        (Attack("a", b"", complete=False), CLOSED, False),
        (Attack("a", b"", complete=False), HANG, True),
        (Attack("a", b"", internal=True), "INTERNAL: x", False),
        (Attack("a", b""), "INTERNAL: x", True),
        (Attack("a", b""), "INVALID_ARGUMENT: x", False),
    ],
)
def test_what_is_bad(attack: Attack, outcome: str, bad: bool) -> None:
    assert is_bad(attack, outcome) is bad


def test_a_status_is_read_once_the_head_is_whole() -> None:
    assert status_of(b"HTTP/1.1 400 Bad Request\r\n") == ""
    assert status_of(b"HTTP/1.1 400 Bad Request\r\n\r\nbody").startswith("HTTP 400: b'body'")
    assert status_of(b"garbage\r\n\r\n") == ""


def test_internal_is_granted_where_protobuf_refuses_the_message() -> None:
    assert grpc.call("x", b"\xff\xff\xff").internal
    assert not grpc.call("x", b"").internal


@pytest.mark.parametrize("heavy", [rest.heavy, grpc.heavy])
def test_large_bodies_are_as_large_as_asked_for(heavy: Callable[[int], "itertools.chain[Attack]"]) -> None:
    attacks = list(heavy(1))
    assert all(attack.heavy for attack in attacks)
    sizes = [len(attack.data) for attack in attacks if "bomb" not in attack.kind]
    assert min(sizes) > 1_000_000 * 0.9


def test_posts_say_their_length() -> None:
    head, _, body = rest.post(b'{"a": 1}').partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {"a": 1}
    assert rest.mutated(random.Random(3), b"x" * 50) != b"x" * 50


def test_answers_closed_connections_and_hangs_are_told_apart() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(1 << 16)
        if b"answer" in asked:
            writer.write(b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n")
        elif b"hang" in asked:
            await asyncio.sleep(60)
        writer.close()

    async def attack() -> dict[str, list[str]]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        attacker = Attacker(f"{host}:{port}", f"{host}:{port}")
        sent = [Attack(name, name.encode()) for name in ("answer", "close", "hang")]
        await attacker.run(sent)
        server.close()
        return {kind: list(outcomes) for kind, outcomes in attacker.tally.outcomes.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.serving.abuse.attack.HANG_SECONDS", 0.5)
        assert asyncio.run(attack()) == {"answer": ["HTTP 400"], "close": [CLOSED], "hang": [HANG]}
