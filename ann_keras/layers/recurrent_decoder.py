"""Stacked recurrent cells as a decoder, with attention or without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ann_keras.layers.alignment import Alignment
from ann_keras.layers.positionwise import PositionwiseDense
from ann_keras.layers.step_decoder import StepDecoder
from ann_keras.layers.token_embedding import TokenEmbedding

CELLS = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}
STATES = {"lstm": 2, "gru": 1}
"""Tensors of the state of one cell, the first of which is its output."""


@keras.saving.register_keras_serializable("ann_keras")
class RecurrentDecoder(StepDecoder):
    """h_t = cells(h_{t-1}, [y_{t-1}; a_{t-1}]), and p(y_t) = softmax(W_s a_t).

    With attention a_t = tanh(W_c [c_t; h_t]) (Luong, Pham and Manning 2015, eq. 5), c_t as of `Alignment`, and a_{t-1}
    is fed to the cells where `feeding` says so (their section 3.3); without it a_t is h_t. In training the cells are
    told the true token before, or, with the probability `sampling`, the likeliest one by what they said themselves
    (Bengio, Vinyals, Jaitly and Shazeer 2015, Scheduled sampling, section 2.4; no gradient follows the choice).
    Dropout leaves out the same units of a sequence at every position (Gal and Ghahramani 2016, A theoretically grounded
    application of dropout in recurrent neural networks, section 4), those of the embedding and of each a_t one by one.

    Its memory is bool [b, S], true where a token stands; with attention the encoder's outputs, float [b, S, m]; and the
    states that the cells start with, float [b, width] each.

    Args:
        vocabulary: V.
        width: units of each cell.
        depth: cells, one on top of the other.
        cell: "lstm" or "gru".
        score: of the attention, one of `alignment.SCORES`; None for no attention.
        feeding: whether a_{t-1} is fed.
        sampling: a probability.
        dropout: share of units that are left out in training.
        tie: "target" to tell the next token by the embedding, "none" by a matrix of its own.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        depth: int = 1,
        cell: str = "lstm",
        score: str | None = None,
        feeding: bool = False,
        sampling: float = 0.0,
        dropout: float = 0.0,
        tie: str = "target",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments: Mapping[str, Any] = {
            "vocabulary": vocabulary, "width": width, "depth": depth, "cell": cell, "score": score,
            "feeding": feeding, "sampling": sampling, "dropout": dropout, "tie": tie,
        }  # fmt: skip
        self.width, self.feeding, self.sampling = width, feeding and score is not None, sampling
        self.embedding = TokenEmbedding(vocabulary, width, name="embedding")
        self.cells = [CELLS[cell](width, name=f"cell{number}") for number in range(1, depth + 1)]
        self.states = STATES[cell]
        self.alignment = Alignment(score, width, name="alignment") if score else None
        self.combination = PositionwiseDense(width, activation="tanh", use_bias=False, name="combination")
        self.projection = PositionwiseDense(vocabulary, use_bias=False, name="projection") if tie == "none" else None
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.rate = dropout
        self.seeds = keras.random.SeedGenerator()
        # Of the encoder's cells, whose own mask goes no further: the one of the memory says the same.
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the weights of the parts."""
        self.embedding.build()
        for number, cell in enumerate(self.cells):
            cell.build((None, self.width * (2 if self.feeding and number == 0 else 1)))
        if self.alignment is not None:
            encoded = input_shape[2]
            self.alignment.build(encoded)
            self.combination.build((None, None, encoded[-1] + self.width))
        if self.projection is not None:
            self.projection.build((None, None, self.width))

    def compute_mask(self, inputs: list[Any], previous_mask: Any) -> None:
        """None."""

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Logits float32 [b, T, V]."""
        return self._logits(self._attentional(inputs, training)[0])

    def attend(self, inputs: list[Any]) -> Any:
        """The alignment under teacher forcing, float32 [b, 1, T, S]."""
        return ops.cast(ops.expand_dims(self._attentional(inputs, False)[1], 1), "float32")

    def begin(self, memory: list[Any], steps: Any) -> tuple[list[Any], list[Any]]:
        """The constants are the memory but for the states, and the keys; the state is the cells' and, where it is fed,
        a_{t-1}.
        """
        constants, state = self._parted(memory)
        if self.feeding:
            state = [*state, ops.zeros_like(state[0])]
        return constants, state

    def step(self, token: Any, position: Any, constants: list[Any], state: list[Any]) -> tuple[Any, Any, list[Any]]:
        """One token further: logits, float32 [b, V]; the alignment, float32 [b, 1, S]; the state."""
        top, state = self._advance(self.embedding(token), state, constants, None)
        said, weights = self._read(ops.expand_dims(top, 1), constants)
        return self._logits(ops.squeeze(said, 1)), ops.cast(weights, "float32"), state

    def _parted(self, memory: list[Any]) -> tuple[list[Any], list[Any]]:
        visible, *rest = memory
        if self.alignment is None:
            return [visible], rest
        encoded, *state = rest
        return [visible, encoded, self.alignment.keys(encoded)], state

    def _attentional(self, inputs: list[Any], training: bool | None) -> tuple[Any, Any]:
        """a_t, float [b, T, width], and a_ts, float [b, T, S], of all positions."""
        target, *memory = inputs
        constants, state = self.begin(memory, None)
        masks = self._masks(state[0]) if training and self.rate else None
        if training and self.sampling:
            states = self._sampled(target, state, constants, masks)
        else:
            vectors = ops.swapaxes(self.embedding(target), 0, 1)

            def forward(state: list[Any], x: Any) -> tuple[list[Any], list[Any]]:
                _, state = self._advance(x, state, constants, masks)
                return state, state

            _, states = ops.scan(forward, state, vectors)
        top = states[self.states * (len(self.cells) - 1)]
        # Where a_t was fed, the graph has no use for this one, and leaves it out.
        said, weights = self._read(ops.swapaxes(top, 0, 1), constants)
        if self.feeding:
            said = ops.swapaxes(states[-1], 0, 1)
        return self.dropout(said, training=training), weights

    def _sampled(self, target: Any, state: list[Any], constants: list[Any], masks: list[Any] | None) -> list[Any]:
        """The states of all positions, [T, b, ...], where some tokens are the cells' own."""
        ids = ops.transpose(target)
        own = ops.cast(keras.random.uniform(ops.shape(ids), seed=self.seeds) < self.sampling, ids.dtype)

        def forward(carried: list[Any], given: Any) -> tuple[list[Any], list[Any]]:
            *state, guess = carried
            x = self.embedding(ops.where(given[1] == 1, guess, given[0]))
            top, state = self._advance(x, state, constants, masks)
            said, _ = self._read(ops.expand_dims(top, 1), constants)
            guess = ops.cast(ops.argmax(self._logits(ops.squeeze(said, 1)), axis=-1), ids.dtype)
            return [*state, guess], [*state, guess]

        # The first token is the start, and so is what might be drawn in its place.
        # One array of both: over several of open length TensorFlow's scan fails in a graph.
        _, (*states, _) = ops.scan(forward, [*state, ids[0]], ops.stack([ids, own], axis=1))
        return states

    def _advance(
        self, x: Any, state: list[Any], constants: list[Any], masks: list[Any] | None
    ) -> tuple[Any, list[Any]]:
        """The upmost cell's output, float [b, width], and the state, after the vector of a token, float [b, width]."""
        if masks is not None:
            x = x * masks[0]
        if self.feeding:
            x = ops.concatenate([x, state[-1]], axis=-1)
        after = []
        for number, cell in enumerate(self.cells):
            if number and masks is not None:
                x = x * masks[number]
            first = self.states * number
            x, own = cell(x, state[first : first + self.states])
            after.extend(own)
        if self.feeding:
            after.append(ops.squeeze(self._read(ops.expand_dims(x, 1), constants)[0], 1))
        return x, after

    def _read(self, top: Any, constants: list[Any]) -> tuple[Any, Any]:
        """a_t, float [b, T, width], and a_ts, float [b, T, S], from h_t, float [b, T, width]."""
        if self.alignment is None:
            there = ops.cast(ops.expand_dims(constants[0], 1), top.dtype)
            even = there / ops.sum(there, axis=-1, keepdims=True)
            return top, ops.repeat(even, ops.shape(top)[1], axis=1)
        visible, encoded, keys = constants
        context, weights = self.alignment(top, keys, encoded, visible)
        return self.combination(ops.concatenate([context, top], axis=-1)), weights

    def _masks(self, like: Any) -> list[Any]:
        """Of the input of every cell, float [b, width]: 0 where a unit is left out, 1 / (1 - dropout) elsewhere."""
        return [keras.random.dropout(ops.ones_like(like), self.rate, seed=self.seeds) for _ in self.cells]

    def _logits(self, said: Any) -> Any:
        told = self.embedding.logits(said) if self.projection is None else self.projection(said)
        return ops.cast(told, "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), **self.arguments}
