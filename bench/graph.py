"""Writes src/qa/minilm.onnx: how all-MiniLM-L6-v2 computes, without its weights, which stay in their safetensors file.

    .venv/bin/python -m bench.graph

needs `pip install onnx` beside what the program needs. Prints the file's SHA-256, which `qa.models.MINILM_GRAPH` pins.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from qa import models

TARGET = Path("src/qa/minilm.onnx")
OPSET = 17


class _Pooled(torch.nn.Module):
    """Token ids of one text, special tokens included, to the mean of the last layer, of length one."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        last = self.network(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
        return torch.nn.functional.normalize(last.mean(1), dim=1)


def exported() -> Any:
    """The model as torch traces it, every weight under its own name."""
    import onnx
    from transformers import BertModel

    folder = models.packaged_folder(models.MINILM)
    network = BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False).eval()
    network.config._attn_implementation = "eager"
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(scratch, "whole.onnx")
        torch.onnx.export(
            _Pooled(network).eval(),
            (torch.ones((1, 16), dtype=torch.int64),),
            str(path),
            input_names=["ids"],
            output_names=["vectors"],
            dynamic_axes={"ids": {0: "texts", 1: "tokens"}},
            opset_version=OPSET,
            do_constant_folding=False,  # It would turn weights round and take their names.
            dynamo=False,
        )
        return onnx.load(path)


def without_weights(model: Any) -> Any:
    """The same model, whose weights are to be given when it is loaded, by the names that the safetensors file has."""
    from onnx import TensorProto

    names = {weight.name: weight.name.removeprefix("network.") for weight in model.graph.initializer}
    for weight in model.graph.initializer:
        weight.name = names[weight.name]
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=models.MINILM.file)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return model


def main() -> None:
    """Write the file."""
    import onnx

    onnx.save_model(without_weights(exported()), TARGET)
    print(f"{TARGET} {TARGET.stat().st_size:,} bytes, SHA-256 {models.sha256(TARGET)}")


if __name__ == "__main__":
    main()
