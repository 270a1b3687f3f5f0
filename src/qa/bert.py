"""The forward pass of a small BERT for one text, in numpy: a question is embedded before torch would be imported.

(Devlin and others 2019, https://arxiv.org/abs/1810.04805; mean pooling as in Reimers and Gurevych 2019.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """How the weights are put together; the names are those of a model's `config.json`."""

    num_hidden_layers: int
    num_attention_heads: int
    layer_norm_eps: float


def embed(weights: Mapping[str, Matrix], shape: Shape, ids: Sequence[int]) -> Matrix:
    """The mean of the last layer over all tokens, of length one, shape (dimension,).

    `weights` are those of a `BertModel` by their names there, `ids` the tokens with [CLS] and [SEP].
    """
    words, places, kinds = (
        weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
    )
    hidden = words[np.asarray(ids)] + places[: len(ids)] + kinds[0]
    hidden = _normed(weights, "embeddings.LayerNorm", shape, hidden)
    for number in range(shape.num_hidden_layers):
        layer = f"encoder.layer.{number}"
        mixed = _dense(weights, f"{layer}.attention.output.dense", _attended(weights, layer, shape, hidden))
        hidden = _normed(weights, f"{layer}.attention.output.LayerNorm", shape, hidden + mixed)
        wide = _gelu(_dense(weights, f"{layer}.intermediate.dense", hidden))
        hidden = _normed(
            weights, f"{layer}.output.LayerNorm", shape, hidden + _dense(weights, f"{layer}.output.dense", wide)
        )
    mean = hidden.mean(axis=0)
    unit: Matrix = mean / np.linalg.norm(mean)
    return unit


def _dense(weights: Mapping[str, Matrix], name: str, rows: Matrix) -> Matrix:
    product: Matrix = rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return product


def _attended(weights: Mapping[str, Matrix], layer: str, shape: Shape, hidden: Matrix) -> Matrix:
    """Every token as the mean of all, by how well its query meets their keys, in each head."""

    def heads(name: str) -> Matrix:
        rows = _dense(weights, f"{layer}.attention.self.{name}", hidden)
        return rows.reshape(len(hidden), shape.num_attention_heads, -1).swapaxes(0, 1)

    query, key, value = heads("query"), heads("key"), heads("value")
    logits = query @ key.swapaxes(1, 2) / np.sqrt(np.float32(query.shape[2]))
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    mixed: Matrix = (shares @ value).swapaxes(0, 1).reshape(hidden.shape)
    return mixed


def _normed(weights: Mapping[str, Matrix], name: str, shape: Shape, rows: Matrix) -> Matrix:
    centred = rows - rows.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    scaled: Matrix = centred / np.sqrt(variance + np.float32(shape.layer_norm_eps))
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _gelu(rows: Matrix) -> Matrix:
    """A number times the share of a normal distribution below it, within 2e-7. (Abramowitz and Stegun 1964, 7.1.26)"""
    size = np.abs(rows) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * size)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail *= np.exp(-size * size)
    below: Matrix = np.where(rows < 0, tail / 2, 1 - tail / 2).astype(np.float32)
    return rows * below
