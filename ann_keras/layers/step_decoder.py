"""What a decoder offers so that `ann_keras.decoding` can write with it one token at a time."""

from __future__ import annotations

from typing import Any

import keras


class StepDecoder(keras.layers.Layer):
    """A decoder that is trained on whole targets and decodes token by token, from a state that it carries on.

    Notation: batch `b`, target positions `T`, source positions `S`, tokens `V`. `memory` is what the encoder answers: a
    list of tensors whose first axis is the batch, the mask of the source [b, S] (true where a token stands) among them.
    A subclass writes `call`, `begin`, `step` and `attend`.
    """

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Teacher forcing: the logits of every next token at once.

        Args:
            inputs: the target int32 [b, T] that begins with SOS, then `memory`.
            training: whether dropout and the like are at work.

        Returns:
            Logits float32 [b, T, V]: those at position `t` follow from the tokens up to `t` alone.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define call(inputs, training)")

    def begin(self, memory: list[Any], steps: Any) -> tuple[list[Any], list[Any]]:
        """What decoding starts from.

        Args:
            memory: of the encoder.
            steps: int or int32 []: how many times `step` will be called at most.

        Returns:
            Two flat lists of tensors whose first axis is the batch: the constants, which no step changes (the projected
            keys of the memory, its mask), and the state, which each step does (caches, hidden states).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define begin(memory, steps)")

    def step(self, token: Any, position: Any, constants: list[Any], state: list[Any]) -> tuple[Any, Any, list[Any]]:
        """One token further; what came before is not computed again.

        Args:
            token: int32 [b], the one at this position; SOS at the first.
            position: int32 [], from 0.
            constants: of `begin`.
            state: of `begin`, or of the step before.

        Returns:
            The logits of the next token, float32 [b, V], as `call` has them at this position; the attention over the
            source, float32 [b, heads, S], each row of which sums to 1 (uniform over the source's tokens, with one head,
            where the decoder has none); and the new state, of the shapes and dtypes of the old.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step(token, position, constants, state)")

    def attend(self, inputs: list[Any]) -> Any:
        """Where the last layer looks under teacher forcing.

        Args:
            inputs: those of `call`.

        Returns:
            Attention over the source, float32 [b, heads, T, S], as `step` has it at each position.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define attend(inputs)")
