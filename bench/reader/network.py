"""The networks of the reader: layers that somebody else trained, with two more outputs a token, where an answer begins
and where it ends (Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.3).

The first token stands for "nothing here answers". `marco` is the packaged reranker and what the program runs; `mpnet`
(Song et al. 2020, https://arxiv.org/abs/2004.09297) is three times as large, and teaches it. Both have the words of
BERT, only numbered differently, so what one says of a token the other can learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.judge.network import empty_network, filled, start_folder
from bench.judge.train import prepared_network
from qa.models import pair_tokenizer

MAX_TOKENS = 256
"""Tokens of a question and a passage that are trained on; a passage of an index has no more."""
NEVER = -1e4
"""The logit of a token that can be no part of an answer."""
DROPOUT = 0.1
MPNET = Path("all-mpnet-base-v2")
"""The folder of the teacher's weights as sentence-transformers publishes them; docs/reader.md says where from."""

Outputs = tuple[torch.Tensor, torch.Tensor]


class Reader(torch.nn.Module):
    """Logits of begin and end for each token, shape (rows, tokens, 2), and that the passage answers, shape (rows,)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.bert, self.classifier = network.bert, network.classifier
        self.span = torch.nn.Linear(384, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Outputs:
        """Read question and passage together."""
        seen = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types)
        return self.span(seen.last_hidden_state), self.classifier(seen.pooler_output)[:, 0]


class Teacher(torch.nn.Module):
    """The same of MPNet, from the token numbers of the reranker."""

    numbers: torch.Tensor

    def __init__(self, body: Any, numbers: torch.Tensor) -> None:
        super().__init__()
        width = body.config.hidden_size
        self.body, self.pooler = body, torch.nn.Linear(width, width)
        self.classifier, self.span = torch.nn.Linear(width, 1), torch.nn.Linear(width, 2)
        self.register_buffer("numbers", numbers)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Outputs:
        """Read question and passage together; which is which MPNet sees by the mark between them."""
        seen = self.body(input_ids=self.numbers[ids], attention_mask=mask).last_hidden_state
        return self.span(seen), self.classifier(torch.tanh(self.pooler(seen[:, 0])))[:, 0]


def starting_reader(frozen: int, layers: int, dropout: float = DROPOUT) -> Reader:
    """A reader that knows what the reranker knows, with so many of its layers."""
    network = prepared_network(frozen, dropout)
    del network.bert.encoder.layer[layers:]
    return Reader(network).train()


def starting_teacher() -> Teacher:
    """A teacher that knows what all-mpnet-base-v2 knows."""
    from transformers import MPNetModel

    body = MPNetModel.from_pretrained(MPNET, add_pooling_layer=False)
    return Teacher(body, _numbers()).train()


def _numbers() -> torch.Tensor:
    """By the reranker's number of a word its number in MPNet."""
    theirs = {word: n for n, word in enumerate((MPNET / "vocab.txt").read_text("utf-8").splitlines())}
    mine = (start_folder() / "vocab.txt").read_text("utf-8").splitlines()
    marks = {"[CLS]": "<s>", "[SEP]": "</s>", "[PAD]": "<pad>", "[MASK]": "<mask>"}
    unknown = theirs["[UNK]"]
    return torch.tensor([theirs.get(marks.get(word, word), unknown) for word in mine])


def loaded(weights: Path) -> Reader | Teacher:
    """A trained reader or teacher."""
    state = torch.load(weights, weights_only=True, map_location="cpu")
    if "numbers" in state:
        from transformers import MPNetConfig, MPNetModel

        body = MPNetModel(MPNetConfig.from_pretrained(MPNET), add_pooling_layer=False)
        reader: Reader | Teacher = Teacher(body, state["numbers"])
    else:
        network = empty_network()
        del network.bert.encoder.layer[1 + max(int(name.split(".")[3]) for name in state if ".layer." in name) :]
        reader = Reader(network)
    reader.load_state_dict(state)
    return reader.eval()


@dataclass(frozen=True, slots=True)
class Tokens:
    """A question and a passage as the network reads them, shape (tokens,) each; `inside` is where an answer may be."""

    ids: np.ndarray[Any, Any]
    types: np.ndarray[Any, Any]
    inside: np.ndarray[Any, Any]


def tokenizer() -> Any:
    """The tokenizer of the reranker, cutting passages that are too long."""
    return pair_tokenizer(start_folder(), MAX_TOKENS)


def tokens(encoding: Any) -> Tokens:
    """What of an encoding the network needs; the first token stands for no answer."""
    types = np.array(encoding.type_ids)
    inside = (types == 1) & (np.array(encoding.special_tokens_mask) == 0)
    inside[0] = True
    return Tokens(np.array(encoding.ids), types, inside)


def outputs(reader: Reader | Teacher, read: Sequence[Tokens]) -> Outputs:
    """Both outputs, with NEVER for every token that is neither of the passage nor the first."""
    device = next(reader.parameters()).device
    ids, types, mask, inside = (
        filled(rows).to(device, non_blocking=True)
        for rows in (
            [each.ids for each in read],
            [each.types for each in read],
            [np.ones_like(each.ids) for each in read],
            [each.inside for each in read],
        )
    )
    with torch.autocast(device.type, dtype=torch.bfloat16):
        spans, answers = reader(ids, mask, types)
    return spans.float().masked_fill(inside[:, :, None] == 0, NEVER), answers.float()
