"""Sentences per second that `transformer` decodes, beside the same model without its cache, which computes the whole
prefix again for every token, and beside `generate` of Hugging Face's transformers with a MarianMT of the same size.

    python -m benchmarks.decoding_speed [--width 128] [--batch 32] [--length 60] [--rounds 3] [--venv DIR]

All weights are random, and nothing may end before `length` tokens, of which the sources have as many too. Without the
cache the decoder answers the prefix as it does in training, with logits for all its positions; "last logits" spares
itself those but the last, which nobody can who only has the trained model. Either reorders token ids, not keys and
values. The peers take turns, one of them at work at a time, after a round that does not count; transformers and PyTorch
are installed below --venv (a temporary folder where it is not given). The processor's seconds say the same on a machine
that has other work.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ann_keras.decoding import Decoded, beam_search, encoder_of, greedy
from ann_keras.layers.step_decoder import StepDecoder
from ann_keras.models.sequence import transformer
from ann_keras.task import Feature
from ann_keras.text import EOS
from benchmarks.environments import environment, installed_version

LIMIT = 10.0
"""At least so many times as fast as without the cache."""
PENALTY = 0.6
PEER = Path(__file__).with_name("transformers_generate.py")
PACKAGES = ("torch", "transformers")

Times = tuple[float, float]
"""Seconds of one decoding, by the clock and of the processor."""


class Endless(StepDecoder):
    """A decoder that never ends a sequence."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder
        self.never = ops.where(ops.arange(decoder.vocabulary) == EOS, -1e9, 0.0)

    def begin(self, memory: list[Any], steps: Any) -> tuple[list[Any], list[Any]]:
        """As the decoder has it."""
        return self.decoder.begin(memory, steps)  # type: ignore[no-any-return]

    def step(self, token: Any, position: Any, constants: list[Any], state: list[Any]) -> tuple[Any, Any, list[Any]]:
        """As the decoder has it, but for the end."""
        logits, attention, state = self.decoder.step(token, position, constants, state)
        return logits + self.never, attention, state


class Uncached(Endless):
    """Its state is the prefix, from which it computes everything again."""

    def begin(self, memory: list[Any], steps: Any) -> tuple[list[Any], list[Any]]:
        """The memory, and room for the tokens."""
        return list(memory), [ops.zeros((ops.shape(memory[0])[0], steps), "int32")]

    def step(self, token: Any, position: Any, constants: list[Any], state: list[Any]) -> tuple[Any, Any, list[Any]]:
        """What the decoder says of the prefix with this token."""
        written = ops.arange(ops.shape(state[0])[1]) == position
        prefix = ops.where(written, token[:, None], state[0])
        x, attention = self.decoder._decoded([prefix[:, : position + 1], *constants], False)
        return self.last(x) + self.never, attention[:, :, -1], [prefix]

    def last(self, x: Any) -> Any:
        """The logits of the last position, of those of all."""
        return self.decoder._logits(x)[:, -1]


class LastLogits(Uncached):
    """The logits are those of the last position alone."""

    def last(self, x: Any) -> Any:
        """The logits of the last position."""
        return self.decoder._logits(x[:, -1])


KINDS = {"cache": Endless, "no cache": Uncached, "last logits": LastLogits}


def made(width: int, vocabulary: int) -> keras.Model:
    """The model at its defaults but for the width, and the feed-forward network that goes with it."""
    keras.utils.set_random_seed(0)
    config = transformer.Config(width=width, feed_forward=4 * width)
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target_input")}
    return transformer.build(config, inputs, Feature("logits", "tensor", (None, vocabulary)))


def decoding(model: keras.Model, kind: type[Endless], beam: int, length: int) -> Callable[[Any], Decoded]:
    """The search as a graph, from the ids of the sources."""
    encoder, decoder = encoder_of(model), kind(model.get_layer("decoder"))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def decode(source: Any) -> Decoded:
        memory = encoder(source, training=False)
        return beam_search(decoder, memory, length, beam, PENALTY) if beam > 1 else greedy(decoder, memory, length)

    return decode


def timed(decode: Callable[[Any], Decoded], source: Any) -> tuple[Times, Decoded]:
    """One decoding."""
    started = time.perf_counter(), time.process_time()
    found = Decoded(*(part.numpy() for part in decode(source)))
    return (time.perf_counter() - started[0], time.process_time() - started[1]), found


class Peer:
    """The process that runs `generate`.

    Args:
        binaries: of the environment.
        given: what `transformers_generate` wants.
    """

    def __init__(self, binaries: Path, given: dict[str, Any]) -> None:
        command = [str(binaries / "python"), str(PEER), json.dumps(given)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.parameters = int(self._line())

    def decode(self, beam: int) -> Times:
        """One decoding."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{beam}\n")
        self.process.stdin.flush()
        clock, processor = self._line().split()
        return float(clock), float(processor)

    def _line(self) -> str:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"{PEER.name} ended with {self.process.wait()}")
        return line


@contextlib.contextmanager
def peer(folder: str | None, given: dict[str, Any]) -> Iterator[tuple[str, Peer]]:
    """The name and version of the peer, and the peer, while it runs."""
    with contextlib.ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory())) / "transformers"
        binaries = environment(place, PACKAGES)
        running = Peer(binaries, given)
        stack.callback(running.process.wait)
        stack.callback(running.process.kill)
        yield f"transformers {installed_version(binaries, 'transformers')}", running


def same(one: Decoded, other: Decoded) -> bool:
    """Whether two searches found equally good sequences of the full length; near ties may be broken otherwise."""
    full = all((found.lengths == found.tokens.shape[-1]).all() for found in (one, other))
    return full and bool(np.isclose(one.scores, other.scores, rtol=1e-3).mean() > 0.9)


def compare(
    given: argparse.Namespace, beam: int, model: keras.Model, generate: Callable[[int], Times]
) -> dict[str, Any]:
    """The times of each round, by who needed them."""
    source = np.random.default_rng(0).integers(4, given.vocabulary, (given.batch, given.length)).astype("int32")
    searches = {name: decoding(model, kind, beam, given.length) for name, kind in KINDS.items()}
    times: dict[str, list[Times]] = {name: [] for name in (*KINDS, "generate")}
    for number in range(given.rounds + 1):
        found = {name: timed(search, source) for name, search in searches.items()}
        taken = {**{name: one for name, (one, _) in found.items()}, "generate": generate(beam)}
        for name in KINDS:
            if not same(found["cache"][1], found[name][1]):
                raise SystemExit(f"{name}: other sequences than with the cache: not the same model")
        if number:
            for name, one in taken.items():
                times[name].append(one)
    return times


def told(batch: int, beam: int, title: str, times: dict[str, list[Times]]) -> None:
    """Prints the medians of all rounds and their ratios."""
    clock, processor = (
        {name: statistics.median(one[which] for one in taken) for name, taken in times.items()} for which in (0, 1)
    )
    for name, taken in clock.items():
        print(f"  {name:11} {1e3 * taken:9.0f} ms, {batch / taken:7.1f} sentences per second", flush=True)
    others = {"no cache": "without the cache", "last logits": "without it, the last logits alone", "generate": title}
    for name, other in others.items():
        ratio, cpu = clock[name] / clock["cache"], processor[name] / processor["cache"]
        verdict = f" (limit {LIMIT:g}): {'holds' if ratio >= LIMIT else 'FAILS'}" if name == "no cache" else ""
        print(f"beam {beam}: {ratio:.2f} x {other}, of processor seconds {cpu:.2f}{verdict}", flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=60, help="tokens of a source, and of a target")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5], help="1 is greedy")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", help="folder to keep the peer's environment in")
    given = parser.parse_args()
    model = made(given.width, given.vocabulary)
    config = model.get_layer("decoder").settings
    sizes = {name: config[name] for name in ("width", "depth", "heads", "feed_forward")}
    wanted = {name: getattr(given, name) for name in ("vocabulary", "batch", "length")}
    threads = len(os.sched_getaffinity(0))
    with peer(given.venv, {**sizes, **wanted, "threads": threads, "penalty": PENALTY}) as (title, running):
        print(f"{sizes}, {model.count_params()} parameters; of {title}: {running.parameters}; {threads} cores")
        for beam in given.beams:
            told(given.batch, beam, title, compare(given, beam, model, running.decode))


if __name__ == "__main__":
    main()
