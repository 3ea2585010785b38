"""Sends malformed requests and says what came of each: an answer, a closed connection, or a hang."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

AT_ONCE = 16
HANG_SECONDS = 15.0
HEAVY_HANG_SECONDS = 120.0
PATIENCE = 0.2
"""Seconds that a request which may be incomplete is given before its sender closes its half of the connection."""
CLOSED, ABANDONED, HANG = "closed", "given up by the sender", "HANG"


@dataclass(frozen=True)
class Attack:
    """One malformed request.

    Attributes:
        kind: what is wrong with it.
        data: the bytes: raw ones for the port, or a message where `method` is given.
        port: "rest" or "grpc".
        complete: True where it must be answered, False where a closed connection will do.
        method: a gRPC method, called with `data` as its request; empty sends raw bytes.
        internal: True where TF Serving too answers INTERNAL, because the message cannot be parsed.
        pause: seconds between the bytes of a slow sender, who gives up before the end.
        heavy: True where much has to be read, so that an answer may take longer.
    """

    kind: str
    data: bytes
    port: str = "rest"
    complete: bool = True
    method: str = ""
    internal: bool = False
    pause: float = 0.0
    heavy: bool = False

    @property
    def limit(self) -> float:
        """Seconds after which it counts as a hang."""
        return HEAVY_HANG_SECONDS if self.heavy else HANG_SECONDS


@dataclass
class Tally:
    """What came of many attacks."""

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bad: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def add(self, attack: Attack, outcome: str) -> None:
        """Counts one; keeps the beginning of the first that is bad in its way."""
        self.outcomes[attack.kind][outcome.partition(": ")[0]] += 1
        if is_bad(attack, outcome):
            key = (attack.kind, outcome)
            self.bad[key] += 1
            self.examples.setdefault(key, attack.data[:300])

    def lines(self) -> list[str]:
        """Returns a line for each kind."""
        found = []
        for kind, outcomes in sorted(self.outcomes.items()):
            parts = ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.most_common())
            found.append(f"  {kind:<34} {parts}")
        for (kind, outcome), count in self.bad.most_common(20):
            found.append(f"  BAD: {count} x {kind}: {outcome}\n       {self.examples[kind, outcome]!r}")
        return found


def is_bad(attack: Attack, outcome: str) -> bool:
    """Tells whether TF Serving would not have let a request end like this."""
    what = outcome.partition(": ")[0]
    if what == HANG or (what == CLOSED and attack.complete):
        return True
    if what.startswith("HTTP 5"):
        # libevent, which TF Serving's REST stands on, answers 501 to methods and 505 to versions that it does not know.
        return not (what in ("HTTP 501", "HTTP 505") and attack.kind in ("REST wrong method", "REST broken head"))
    if what == "INTERNAL":
        return not attack.internal
    return what in ("UNKNOWN", "UNAVAILABLE", "DATA_LOSS", "DEADLINE_EXCEEDED")


def status_of(data: bytes) -> str:
    """Returns the outcome that the beginning of an HTTP answer tells, "" where there is none yet."""
    head, found, body = data.partition(b"\r\n\r\n")
    parts = head.split(None, 2)
    if not found or len(parts) < 2 or not parts[0].startswith(b"HTTP/"):
        return ""
    return f"HTTP {parts[1].decode(errors='replace')}: {body[:200]!r}"


class Attacker:
    """Sends attacks to one server.

    Args:
        rest, grpc: "host:port".
    """

    def __init__(self, rest: str, grpc: str) -> None:
        self._addresses = {"rest": rest, "grpc": grpc}
        self.tally = Tally()

    async def run(self, attacks: Iterable[Attack], at_once: int = AT_ONCE) -> None:
        """Sends all, `at_once` at a time; slow senders count apart, all at the same time."""
        import grpc

        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        waiting = iter(attacks)
        async with grpc.aio.insecure_channel(self._addresses["grpc"], options=options) as self._channel:
            slow: list[asyncio.Task[None]] = []

            async def worker() -> None:
                for attack in waiting:
                    if attack.pause:
                        slow.append(asyncio.create_task(self._one(attack)))
                    else:
                        await self._one(attack)

            await asyncio.gather(*(worker() for _ in range(at_once)))
            await asyncio.gather(*slow)

    async def _one(self, attack: Attack) -> None:
        send = self._call if attack.method else self._slow if attack.pause else self._raw
        try:
            outcome = await asyncio.wait_for(send(attack), attack.limit)
        except asyncio.TimeoutError:
            outcome = HANG
        except OSError:
            outcome = CLOSED  # reset while it was being sent
        self.tally.add(attack, outcome)

    async def _call(self, attack: Attack) -> str:
        import grpc

        try:
            await self._channel.unary_unary(attack.method)(attack.data, timeout=attack.limit)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {(error.details() or '')[:200]}"
        return "OK"

    async def _connect(self, attack: Attack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self._addresses[attack.port].partition(":")
        return await asyncio.open_connection(host, int(port))

    async def _raw(self, attack: Attack) -> str:
        reader, writer = await self._connect(attack)
        received = bytearray()

        async def read() -> str:
            while data := await reader.read(1 << 16):
                received.extend(data)
                if attack.port == "rest" and (outcome := status_of(bytes(received))):
                    return outcome
            return CLOSED

        reading = asyncio.create_task(read())
        try:
            writer.write(attack.data)
            with contextlib.suppress(ConnectionError):  # it may be refused before it is all sent
                await writer.drain()
            if not attack.complete:
                await asyncio.wait([reading], timeout=PATIENCE)
                if not reading.done() and writer.can_write_eof():
                    writer.write_eof()
            return await reading
        finally:
            reading.cancel()
            writer.transport.abort()

    async def _slow(self, attack: Attack) -> str:
        reader, writer = await self._connect(attack)
        try:
            for index in range(len(attack.data)):
                if reader.at_eof() or writer.is_closing():
                    return CLOSED
                writer.write(attack.data[index : index + 1])
                await asyncio.sleep(attack.pause)
            return ABANDONED
        finally:
            writer.transport.abort()
