"""Decoding: the target sequence that a trained decoder holds for the likeliest, searched token by token.

A sequence ends with EOS, or unended after `steps` tokens. Its score is

    log p(y | x) / ((5 + length) / 6)^penalty

with the length in tokens, EOS counted (Wu et al. 2016, Google's neural machine translation system, equation 14 without
the coverage). The probability is that of the whole softmax, as teacher forcing has it, though PAD and SOS are never
written.

Both searches are loops of `keras.ops`, that run in a TensorFlow graph and stop when no sentence of the batch can win by
going on. A sentence is answered alike whatever stands beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from ann_keras.layers.step_decoder import StepDecoder
from ann_keras.text import EOS, PAD, SOS

NEVER = -float("inf")


class Decoded(NamedTuple):
    """Target sequences, best first, `n` a sentence.

    Attributes:
        tokens: int32 [batch, n, steps], zeros after the end.
        scores: float32 [batch, n], falling; -inf, with a length of 0, where there are fewer than `n` sequences.
        lengths: int32 [batch, n], tokens, EOS counted.
        attention: float32 [batch, n, heads, steps, source], of each token over the source; zeros after the end.
    """

    tokens: Any
    scores: Any
    lengths: Any
    attention: Any


class _Beams(NamedTuple):
    """Where a beam search stands.

    Attributes:
        open: log-probabilities float32 [batch, beam], falling; -inf for a place that no hypothesis has.
        paths: of the open ones int32 [batch, beam, steps]: what was chosen, `parent * V + token` with the place of the
            hypothesis that was continued, then zeros.
        scores: of the finished ones float32 [batch, best], falling; -inf for none.
        finished: their paths int32 [batch, best, steps].
    """

    open: Any
    paths: Any
    scores: Any
    finished: Any


def encoder_of(model: keras.Model) -> keras.Model:
    """The part of a model before its decoder.

    Args:
        model: functional, with a layer "decoder" that is called once, on a list of the target and the memory.

    Returns:
        From the inputs of the model without the target (the one input, or a dict by name) to the list of the memory.

    Raises:
        ValueError: where the layer "decoder" is missing, or no StepDecoder.
    """
    decoder = model.get_layer("decoder")
    if not isinstance(decoder, StepDecoder):
        raise ValueError(f"layer 'decoder' is a {type(decoder).__name__}: expected a StepDecoder")
    target, *memory = decoder.input
    inputs = {given.name: given for given in model.inputs if given is not target}
    return keras.Model(next(iter(inputs.values())) if len(inputs) == 1 else inputs, memory, name="encoder")


def greedy(decoder: StepDecoder, memory: list[Any], steps: Any, penalty: float = 0.0) -> Decoded:
    """Writes the likeliest token each time.

    Args:
        decoder: of the model.
        memory: what the encoder answers.
        steps: int or int32 []: most tokens, EOS included, at least 1.
        penalty: power of the length in the score, not negative.

    Returns:
        One sequence a sentence.

    Raises:
        ValueError: for an argument out of its range.
    """
    _check(steps=steps, penalty=penalty)
    constants, state = decoder.begin(memory, steps)

    def write(position: Any, logits: Any, token: Any, total: Any, tokens: Any) -> tuple[Any, ...]:
        found, ids = _likeliest(logits, 1)
        best = ops.argmax(found, axis=1)[:, None]
        ended = _ended(token)
        token = ops.where(ended, PAD, ops.take_along_axis(ids, best, axis=1)[:, 0])
        total += ops.where(ended, 0.0, ops.take_along_axis(found, best, axis=1)[:, 0])
        return position + 1, token, total, _note(tokens, position, token)

    def going(position: Any, token: Any, *_: Any) -> Any:
        return ops.logical_and(position < steps, ops.logical_not(ops.all(_ended(token))))

    def forward(position: Any, token: Any, total: Any, tokens: Any, noted: Any, state: list[Any]) -> tuple[Any, ...]:
        logits, attention, state = decoder.step(token, position, constants, state)
        return *write(position, logits, token, total, tokens), _note(noted, position, attention), list(state)

    position, token = ops.zeros((), "int32"), _start(memory)
    logits, attention, state = decoder.step(token, position, constants, state)
    noted = _note(_room(attention, steps), position, attention)
    begun = write(position, logits, token, ops.zeros(ops.shape(token)), _room(token, steps))
    _, _, total, tokens, noted, _ = ops.while_loop(going, forward, (*begun, noted, list(state)))
    tokens = ops.transpose(tokens)[:, None]
    lengths = _lengths(tokens)
    rows = ops.transpose(noted, (1, 0, 2, 3))[:, None]
    return Decoded(tokens, total[:, None] / _divisor(lengths, penalty), lengths, _by_heads(rows, tokens))


def beam_search(
    decoder: StepDecoder, memory: list[Any], steps: Any, beam: int, penalty: float = 0.0, best: int = 1
) -> Decoded:
    """Follows the `beam` likeliest beginnings at once.

    Of all continuations of the open hypotheses, those that end and are among the `beam` likeliest are put aside, and
    the `beam` likeliest that do not end stay open; until no open one can outscore the `best`-th of those put aside. It
    can only lose probability, and is divided by the penalty of `steps` tokens at most.

    Args:
        decoder: of the model.
        memory: what the encoder answers.
        steps: int or int32 []: most tokens, EOS included, at least 1.
        beam: hypotheses.
        penalty: power of the length in the score, not negative.
        best: sequences that are answered, at most `beam`.

    Returns:
        The `best` sequences of each sentence, all different.

    Raises:
        ValueError: for an argument out of its range.
    """
    _check(steps=steps, beam=beam, penalty=penalty, best=best)
    constants, state = decoder.begin(memory, steps)
    longest = _divisor(steps, penalty)

    def going(position: Any, token: Any, beams: _Beams, *_: Any) -> Any:
        hopeful = beams.open[:, 0] / longest > beams.scores[:, -1]
        return ops.logical_and(position < steps, ops.any(hopeful))

    def advance(position: Any, logits: Any, beams: _Beams, state: list[Any]) -> tuple[Any, ...]:
        beams, token, rows = _grow(beams, logits, position, steps, penalty)
        return position + 1, token, beams, [ops.take(part, rows, axis=0) for part in state]

    def forward(position: Any, token: Any, beams: _Beams, state: list[Any], noted: Any) -> tuple[Any, ...]:
        logits, attention, state = decoder.step(token, position, constants, state)
        return *advance(position, logits, beams, state), _note(noted, position, attention)

    # All hypotheses begin alike: the first step is taken once, and what it gives is copied for each.
    position, token = ops.zeros((), "int32"), _start(memory)
    logits, attention, state = decoder.step(token, position, constants, state)
    logits, attention, *state = (ops.repeat(part, beam, axis=0) for part in (logits, attention, *state))
    constants = [ops.repeat(part, beam, axis=0) for part in constants]
    noted = _note(_room(attention, steps), position, attention)
    begun = advance(position, logits, _alone(ops.shape(token)[0], steps, beam, best), state)
    _, _, beams, _, noted = ops.while_loop(going, forward, (*begun, noted))
    return _told(beams, noted, logits.shape[-1])


def _check(**given: Any) -> None:
    """Raises a ValueError for an argument of a search that is out of its range."""
    for name in ("steps", "beam", "best"):
        if isinstance(given.get(name), int) and given[name] < 1:
            raise ValueError(f"{name}={given[name]}: expected at least 1")
    if given["penalty"] < 0:
        raise ValueError(f"penalty={given['penalty']}: expected at least 0")
    if given.get("best", 0) > given.get("beam", 0):
        raise ValueError(f"best={given['best']}: expected at most beam={given['beam']}")


def _start(memory: list[Any]) -> Any:
    return ops.full((ops.shape(memory[0])[0],), SOS, "int32")


def _ended(token: Any) -> Any:
    """Whether a sentence has ended with this token or, PAD being written after it, before; bool [batch]."""
    return ops.logical_or(token == EOS, token == PAD)


def _lengths(tokens: Any) -> Any:
    return ops.sum(ops.cast(tokens != PAD, "int32"), axis=-1)


def _divisor(length: Any, penalty: float) -> Any:
    return ((5.0 + ops.cast(length, "float32")) / 6.0) ** penalty


def _room(example: Any, steps: Any) -> Any:
    """Zeros of the example's shape and kind, for each step; floats float32."""
    kind = "int32" if keras.backend.standardize_dtype(example.dtype) == "int32" else "float32"
    return ops.zeros((steps, *ops.shape(example)), kind)


def _note(noted: Any, position: Any, value: Any) -> Any:
    """The array [steps, ...] with the value at the position."""
    return ops.scatter_update(noted, ops.reshape(position, (1, 1)), ops.cast(value, noted.dtype)[None])


def _likeliest(logits: Any, count: int) -> tuple[Any, Any]:
    """Log-probabilities float32 [n, k], -inf for PAD and SOS, and ids int32 [n, k] of the likeliest tokens.

    k exceeds `count` by those two where the vocabulary allows.
    """
    logits = ops.cast(logits, "float32")
    found, ids = ops.top_k(logits, min(count + 2, logits.shape[-1]))
    highest = found[:, :1]
    total = ops.log(ops.sum(ops.exp(logits - highest), axis=1, keepdims=True))
    return ops.where(ops.logical_or(ids == PAD, ids == SOS), NEVER, found - highest - total), ids


def _alone(batch: Any, steps: Any, beam: int, best: int) -> _Beams:
    """The empty hypothesis in the first place of each sentence."""
    first = ops.broadcast_to(ops.where(ops.arange(beam) == 0, 0.0, NEVER)[None], (batch, beam))
    paths, finished = (ops.zeros((batch, places, steps), "int32") for places in (beam, best))
    return _Beams(first, paths, ops.full((batch, best), NEVER), finished)


def _grow(beams: _Beams, logits: Any, position: Any, steps: Any, penalty: float) -> tuple[_Beams, Any, Any]:
    """One token further.

    Returns:
        The beams; of the open ones their token and the row of the state that they continue, int32 [batch * beam].
    """
    beam, best, size = beams.open.shape[1], beams.scores.shape[1], logits.shape[-1]
    found, ids = _likeliest(logits, 2 * beam)
    each = ids.shape[1]
    chosen = ops.reshape(ids, (-1, beam, each)) + size * ops.arange(beam)[:, None]
    found = ops.reshape(found, (-1, beam, each)) + beams.open[:, :, None]
    # Twice as many as the beam: at most `beam` of them end, one of each hypothesis.
    found, at = ops.top_k(ops.reshape(found, (-1, beam * each)), 2 * beam)
    chosen = _pick(ops.reshape(chosen, (-1, beam * each)), at)
    paths = ops.where(ops.arange(steps) == position, chosen[:, :, None], _pick(beams.paths, chosen // size))
    ends = chosen % size == EOS
    aside = ops.logical_or(ends, position + 1 == steps)[:, :beam]
    scores = ops.where(aside, found[:, :beam] / _divisor(position + 1, penalty), NEVER)
    scores, at = ops.top_k(ops.concatenate([beams.scores, scores], axis=1), best)
    finished = _pick(ops.concatenate([beams.finished, paths[:, :beam]], axis=1), at)
    found, at = ops.top_k(ops.where(ends, NEVER, found), beam)
    chosen = _pick(chosen, at)
    rows = chosen // size + beam * ops.arange(ops.shape(chosen)[0])[:, None]
    token, rows = (ops.reshape(part, (-1,)) for part in (chosen % size, rows))
    return _Beams(found, _pick(paths, at), scores, finished), token, rows


def _pick(values: Any, at: Any) -> Any:
    """Of the values [batch, n, ...] those at the places int32 [batch, m] of each row; [batch, m, ...]."""
    batch, places, *rest = ops.shape(values)
    return ops.take(ops.reshape(values, (-1, *rest)), at + places * ops.arange(batch)[:, None], axis=0)


def _told(beams: _Beams, noted: Any, size: int) -> Decoded:
    """The finished ones; the attention of each token is found where its parent stood."""
    tokens, parents = beams.finished % size, beams.finished // size
    steps, rows, heads, source = ops.shape(noted)
    at = parents + beams.open.shape[1] * ops.arange(ops.shape(parents)[0])[:, None, None] + rows * ops.arange(steps)
    attention = ops.take(ops.reshape(noted, (-1, heads, source)), at, axis=0)
    return Decoded(tokens, beams.scores, _lengths(tokens), _by_heads(attention, tokens))


def _by_heads(rows: Any, tokens: Any) -> Any:
    """Attention [batch, n, steps, heads, source] as [batch, n, heads, steps, source], zeros after the end."""
    written = ops.cast(tokens != PAD, "float32")[:, :, None, :, None]
    return ops.transpose(rows, (0, 1, 3, 2, 4)) * written
