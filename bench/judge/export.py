"""Writes a trained judge as ONNX in int8, with its tokenizer.

    python -m bench.judge.export RUN/judge.pt FOLDER

needs `pip install onnx onnxscript` beside what the program needs. FOLDER then holds model.onnx and tokenizer.json, as
`qa.models.OnnxReranker` reads them, and FOLDER/float the same in float32, for comparison.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch

from qa.models import MARCO

from .network import MAX_TOKENS, empty_network, start_folder

FLOAT = "float"
"""The folder within that of a judge that has it in float32."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _Logit(torch.nn.Module):
    """The network with its inputs in order and nothing but the logit."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Any:
        return self.network(input_ids=ids, attention_mask=mask, token_type_ids=types).logits


def write(weights: Path, folder: Path) -> None:
    """Export to float32 and quantise to int8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    network = empty_network()
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.config._attn_implementation = "eager"
    exact = folder / FLOAT / MARCO.file
    exact.parent.mkdir(parents=True, exist_ok=True)
    example = tuple(torch.ones((1, 16), dtype=torch.int64) for _ in INPUTS)
    axes = {name: {0: "pairs", 1: "tokens"} for name in INPUTS}
    torch.onnx.export(
        _Logit(network).eval(),
        example,
        str(exact),
        input_names=list(INPUTS),
        output_names=["logits"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(exact, folder / MARCO.file, weight_type=QuantType.QInt8, per_channel=True)
    for place in (folder, exact.parent):
        shutil.copyfile(start_folder() / "tokenizer.json", place / "tokenizer.json")


def main() -> None:
    """Write the files and say how large they are."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("weights", type=Path)
    options.add_argument("folder", type=Path)
    given = options.parse_args()
    write(given.weights, given.folder)
    for path in sorted(given.folder.rglob("*.*")):
        print(f"{path.relative_to(given.folder)!s:20} {path.stat().st_size / 2**20:6.1f} MiB")
    print(f"at most {MAX_TOKENS} tokens, statement first")


if __name__ == "__main__":
    main()
