"""One small network at every position of a sequence.

Its products run over all positions of a batch as the rows of one matrix: on a CPU a product of a stack of matrices with
one is slower, its gradient above all.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("ann_keras")
class PositionwiseDense(keras.layers.Dense):
    """`keras.layers.Dense` over the last axis, as one product of two matrices.

    Input float [..., inputs], output float [..., units].
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The layer at every position."""
        shape = ops.shape(inputs)
        flat = super().call(ops.reshape(inputs, (-1, shape[-1])))
        return ops.reshape(flat, (*shape[:-1], self.units))


@keras.saving.register_keras_serializable("ann_keras")
class FeedForward(keras.layers.Layer):
    """FFN(x) = max(0, x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, Attention is all you need, eq. 2).

    Input and output float [..., width].

    Args:
        units: of the inner layer.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.inner = PositionwiseDense(units, activation="relu", dtype=self.dtype_policy, name="inner")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the two matrices."""
        self.inner.build(input_shape)
        self.outer = PositionwiseDense(input_shape[-1], dtype=self.dtype_policy, name="outer")
        self.outer.build((*input_shape[:-1], self.units))

    def call(self, inputs: Any) -> Any:
        """The network at every position."""
        return self.outer(self.inner(inputs))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("ann_keras")
class Residual(keras.layers.Layer):
    """A sub-layer f with dropout D and layer normalisation LN around it: LN(x + D(f(x))) or x + D(f(LN(x))).

    The first, "post", is that of Vaswani et al. 2017, Attention is all you need, sections 3.1 and 5.4. The second,
    "pre", is that of Xiong et al. 2020, On layer normalization in the Transformer architecture, section 3, which leaves
    a path of the gradient free of normalisations. It is called with x and f(`enter(x)`), float [..., width] as is its
    output.

    Args:
        norm: "post" or "pre".
        dropout: share of f's units that are left out in training.
        **kwargs: further arguments of `keras.layers.Layer`.

    Raises:
        ValueError: for another `norm`.
    """

    def __init__(self, norm: str, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if norm not in ("pre", "post"):
            raise ValueError(f"norm={norm!r}: expected pre or post")
        self.norm, self.rate = norm, dropout
        self.normalisation = keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=self.dtype_policy, name="normalisation"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the scale and the shift of the normalisation."""
        self.normalisation.build(input_shape)

    def enter(self, inputs: Any) -> Any:
        """What f is given."""
        return self.normalisation(inputs) if self.norm == "pre" else inputs

    def call(self, inputs: Any, answer: Any, training: bool | None = None) -> Any:
        """What leaves the sub-layer whose f said `answer`."""
        x = ops.add(inputs, self.dropout(answer, training=training))
        return x if self.norm == "pre" else self.normalisation(x)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "norm": self.norm, "dropout": self.rate}
