"""Writes src/qa/reader.onnx: a trained reader in int8.

    python -m bench.reader.export RUN/reader.pt [TARGET]

needs `pip install onnx` beside what the program needs. Prints the file's SHA-256, which `qa.models.READER_GRAPH` pins.

The embeddings and the layers that training left as they were are the packaged reranker's, so the file only names their
places in the package. The other matrices are rounded to eight bits, each column on a scale of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.judge.network import starting_network
from bench.marco import LAYERS, Graph, elsewhere, matrices, model, packaged_weights
from qa import models

TARGET = models.READER_GRAPH[0]
STEPS = 127
"""Values of a weight to either side of zero."""


class ReaderGraph(Graph):
    """The reranker's layers, the last one whole, with both ends of the answer and whether there is one."""

    def outputs(self) -> list[str]:
        """The whole network."""
        x = self.embeddings()
        for number in range(LAYERS):
            x = self.layer(x, f"bert.encoder.layer.{number}", last=False)
        spans = self.add("Add", self.add("MatMul", x, "span.weight"), "span.bias")
        pooled = self.linear(self.quantized(self.add("Gather", x, "zero", axis=1)), "bert.pooler.dense")
        answers = self.add("MatMul", self.add("Tanh", pooled), "classifier.weight")
        return [spans, self.add("Add", answers, "classifier.bias")]


def rounded(matrix: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """A matrix of (inputs, outputs) in eight bits with the scale of each output."""
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-8) / STEPS
    whole = np.clip(np.rint(matrix / scale), -STEPS, STEPS).astype(np.int8)
    return {"quantized": whole, "scale": scale.astype(np.float32), "zero_point": np.zeros(len(scale), np.int8)}


def written(state: dict[str, torch.Tensor]) -> Any:
    """The graph with the weights of its own."""
    from onnx import numpy_helper

    raw, packaged = packaged_weights()
    known = matrices(packaged)
    start = starting_network().state_dict()
    own = {place: place for place in known if not torch.equal(state[f"{place}.weight"], start[f"{place}.weight"])}
    graph = ReaderGraph({**known, **own})
    outputs = graph.outputs()
    held: dict[str, np.ndarray[Any, Any]] = {}
    for place in own:
        parts = rounded(state[f"{place}.weight"].numpy().T)
        held |= {f"{place}_{part}": value for part, value in parts.items()}
    held |= {name: value.numpy() for name, value in state.items() if name.endswith(".bias") or "LayerNorm" in name}
    held |= {f"{head}.weight": state[f"{head}.weight"].numpy().T.copy() for head in ("span", "classifier")}
    weights = [numpy_helper.from_array(value, name) for name, value in held.items() if name in graph.used]
    there = [w for w in packaged.graph.initializer if w.name in graph.used and w.name not in held]
    weights += [elsewhere(weight, raw) for weight in there]
    return model(graph, "reader", weights, {outputs[0]: [1, "tokens", 2], outputs[1]: [1, 1]}, packaged.ir_version)


def main() -> None:
    """Write the file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("weights", type=Path)
    options.add_argument("target", type=Path, nargs="?", default=TARGET)
    given = options.parse_args()
    file = written(torch.load(given.weights, weights_only=True)).SerializeToString(deterministic=True)
    given.target.write_bytes(file)
    print(f"{given.target} {len(file):,} bytes, SHA-256 {models.sha256(given.target)}")


if __name__ == "__main__":
    main()
