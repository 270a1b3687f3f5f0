"""What statements give away by their form alone: words and pairs of words in a logistic regression, no evidence.

    python -m bench.judge.blind PAIRS.jsonl...

Near .5 on held-out pairs, a judge cannot learn to tell true from false without reading the evidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from . import figures


def main() -> None:
    """Print the held-out figures of a judge that reads the statement only."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pairs", type=Path, nargs="+")
    pairs = figures.pairs_of(options.parse_args().pairs)
    known = [pair for pair in pairs if not pair["held_out"]]
    new = [pair for pair in pairs if pair["held_out"]]
    words = CountVectorizer(ngram_range=(1, 2), min_df=5, binary=True, analyzer="word")
    judge = make_pipeline(words, LogisticRegression(C=1.0, max_iter=200))
    judge.fit([pair["statement"] for pair in known], [pair["label"] for pair in known])
    scores = judge.decision_function([pair["statement"] for pair in new]).tolist()
    print(figures.held_out(new, scores))


if __name__ == "__main__":
    main()
