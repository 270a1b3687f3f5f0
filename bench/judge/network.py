"""The network that training starts from: the packaged reranker, taken out of its int8 ONNX file into float32.

(Nogueira and Cho 2019, https://arxiv.org/abs/1901.04085; Wang et al. 2020, https://arxiv.org/abs/2002.10957)

    python -m bench.judge.network

prints how far the float32 logits are from those of the packaged file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qa.models import MARCO, OnnxReranker, packaged_folder, pair_tokenizer
from qa.types import ModelError

MAX_TOKENS = 160
"""Tokens of a statement and its evidence together that the judge reads."""

PROBES = (
    ("Who built the bridge?", "The bridge was built by Roman engineers in the second century."),
    (
        "Rates were raised in March.",
        "The central bank raised its rate by half a point on 3 March, against all forecasts.",
    ),
    ("The museum is closed on Mondays.", "A goal in the last minute decided the match."),
)


def start_folder() -> Path:
    """The folder of the packaged reranker."""
    folder = packaged_folder(MARCO)
    if folder is None:
        raise ModelError("No reranker is installed; run `make install`.")
    return folder


def tokenizer(folder: Path | None = None) -> Any:
    """The tokenizer of a model's folder, cutting evidence that is too long."""
    return pair_tokenizer(folder or start_folder(), MAX_TOKENS)


def empty_network() -> Any:
    """A BERT of the reranker's shape with one output."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=1536,
        num_labels=1,
    )
    return BertForSequenceClassification(config)


def starting_network() -> Any:
    """The packaged reranker in float32."""
    import onnx

    model = onnx.load(str(start_folder() / MARCO.file))
    network = empty_network()
    missing = network.load_state_dict(_float_weights(model), strict=False)
    if missing.missing_keys or missing.unexpected_keys:
        raise ModelError(f"The packaged reranker has another shape: {missing}")
    return network


def _float_weights(model: Any) -> dict[str, torch.Tensor]:
    """The weights by their names in transformers; matrices lie in int8, named only by the node that multiplies."""
    import onnx

    held = {stored.name: onnx.numpy_helper.to_array(stored) for stored in model.graph.initializer}
    weights = {name: torch.tensor(array) for name, array in held.items() if name.endswith((".weight", ".bias"))}
    for name in held:
        if name.startswith("bert.embeddings") and name.endswith("_quantized"):
            weights[name.removesuffix("_quantized")] = _dequantised(held, name)
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":
            weights[_weight_name(node.name)] = _dequantised(held, node.input[1]).T.contiguous()
    return weights


def _weight_name(node: str) -> str:
    """`/bert/encoder/layer.0/attention/self/query/MatMul_quant` is the weight `bert.encoder.layer.0. ... .weight`."""
    return ".".join(node.strip("/").split("/")[:-1]) + ".weight"


def _dequantised(held: dict[str, np.ndarray[Any, Any]], name: str) -> torch.Tensor:
    stem = name.removesuffix("_quantized")
    moved = held[name].astype(np.float32) - held[f"{stem}_zero_point"].astype(np.float32)
    return torch.tensor(moved * held[f"{stem}_scale"])


def logits(network: Any, encodings: list[Any]) -> torch.Tensor:
    """One logit an encoded pair, padded to the longest."""
    ids, mask, types = (
        filled([getattr(each, field) for each in encodings]) for field in ("ids", "attention_mask", "type_ids")
    )
    answer = network(input_ids=ids, attention_mask=mask, token_type_ids=types)
    scores: torch.Tensor = answer.logits[:, 0]
    return scores


def filled(rows: Sequence[Sequence[int] | np.ndarray[Any, Any]]) -> torch.Tensor:
    """Rows of different length as one tensor, with zeros behind the shorter ones."""
    made = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for place, row in zip(made, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(made)


def main() -> None:
    """Print both logits of a few pairs."""
    network, encode = starting_network().eval(), tokenizer()
    packaged = OnnxReranker(start_folder())
    for first, second in PROBES:
        with torch.inference_mode():
            mine = float(logits(network, [encode.encode(first, second)])[0])
        print(f"{mine:8.3f} {packaged.score(first, [second])[0]:8.3f}   {first}")


if __name__ == "__main__":
    main()
