"""Writes a trained judge as ONNX in int8, with its tokenizer.

    python -m bench.judge.export RUN/judge.pt FOLDER

needs `pip install onnx onnxscript` beside what the program needs. FOLDER then holds judge.onnx, the same in float32 for
comparison (judge-float.onnx), and tokenizer.json.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .network import MAX_TOKENS, empty_network, start_folder, tokenizer

FLOAT_FILE = "judge-float.onnx"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Judge:
    """A judge in ONNX. Every pair is scored alone, so that a score never depends on what stands beside it."""

    def __init__(self, folder: Path, file: str = "judge.onnx") -> None:
        import onnxruntime

        self._encode = tokenizer(folder)
        self._session = onnxruntime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])

    def score(self, evidence: str, statement: str) -> float:
        """A logit: the higher, the more surely the evidence supports the statement."""
        encoding = self._encode.encode(statement, evidence)
        fields = (encoding.ids, encoding.attention_mask, encoding.type_ids)
        feed = {name: np.array([row], np.int64) for name, row in zip(INPUTS, fields, strict=True)}
        return float(self._session.run(None, feed)[0].ravel()[0])


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
    folder.mkdir(parents=True, exist_ok=True)
    exact = folder / FLOAT_FILE
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
    quantize_dynamic(exact, folder / "judge.onnx", weight_type=QuantType.QInt8, per_channel=True)
    shutil.copyfile(start_folder() / "tokenizer.json", folder / "tokenizer.json")


def main() -> None:
    """Write the files and say how large they are."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("weights", type=Path)
    options.add_argument("folder", type=Path)
    given = options.parse_args()
    write(given.weights, given.folder)
    for path in sorted(given.folder.iterdir()):
        print(f"{path.name:20} {path.stat().st_size / 2**20:6.1f} MiB")
    print(f"at most {MAX_TOKENS} tokens, statement first")


if __name__ == "__main__":
    main()
