"""The network of the reader: the packaged reranker's layers with two more outputs a token, where an answer begins and
where it ends (Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.3).

The first token stands for "nothing here answers".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.judge.network import empty_network, start_folder
from bench.judge.train import prepared_network
from qa.models import pair_tokenizer

MAX_TOKENS = 256
"""Tokens of a question and a passage that are trained on; a passage of an index has no more."""
NEVER = -1e4
"""The logit of a token that can be no part of an answer."""


class Reader(torch.nn.Module):
    """Logits of begin and end for each token, shape (rows, tokens, 2), and that the passage answers, shape (rows,)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.bert, self.classifier = network.bert, network.classifier
        self.span = torch.nn.Linear(384, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read question and passage together."""
        seen = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types)
        return self.span(seen.last_hidden_state), self.classifier(seen.pooler_output)[:, 0]


def starting_reader(frozen: int) -> Reader:
    """A reader that knows what the reranker knows."""
    return Reader(prepared_network(frozen)).train()


def loaded(weights: Path) -> Reader:
    """A trained reader."""
    reader = Reader(empty_network())
    reader.load_state_dict(torch.load(weights, weights_only=True))
    return reader.eval()


def tokenizer() -> Any:
    """The tokenizer of the reranker, cutting passages that are too long."""
    return pair_tokenizer(start_folder(), MAX_TOKENS)


def padded(encodings: Sequence[Any], field: str) -> torch.Tensor:
    """A field of several encodings, filled up to the longest."""
    longest = max(len(each.ids) for each in encodings)
    return torch.tensor([row + [0] * (longest - len(row)) for row in (getattr(each, field) for each in encodings)])


def outputs(reader: Reader, encodings: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Both outputs, with NEVER for every token that is neither of the passage nor the first."""
    types, mask = padded(encodings, "type_ids"), padded(encodings, "attention_mask")
    spans, answers = reader(padded(encodings, "ids"), mask, types)
    inside = (types == 1) & (padded(encodings, "special_tokens_mask") == 0) & (mask == 1)
    inside[:, 0] = True
    return spans.float().masked_fill(~inside[:, :, None], NEVER), answers.float()
