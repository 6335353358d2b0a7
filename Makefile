# Each target sets up what it needs; nothing has to be installed but Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check -q install -c constraints.txt

.PHONY: demo demo-random test browser check bench bench-search clean

demo: .venv/demo
	$(BIN)/luthier tune examples/mnist.py --time 2m
	@echo "the same time without early stopping: make demo-random"

demo-random: .venv/demo
	$(BIN)/luthier tune examples/mnist.py --time 2m --policy random

test: .venv/dev browser
	$(BIN)/pytest -n auto --dist loadgroup

# the page is tested in a real one, and Chinese in pictures with a font that has it
browser:
	@fc-list :lang=zh 2>/dev/null | grep -q . \
		|| (apt-get update && apt-get install -y fontconfig fonts-wqy-zenhei)
	@which chromium || which chromium-browser || which google-chrome || which chrome \
		|| (apt-get update && apt-get install -y chromium)

check: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/demo.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/samplers.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/decisions.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/diagnose.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/probes.py
	$(BIN)/python benchmarks/rollback.py
	$(BIN)/python benchmarks/page.py

# TABLES="FOLDER …", of docs/tables.md; goes on where it was stopped. Peers get environments of their
# own in .venv-peers (8 of them, 10 GB). SEARCH: more options, such as --budgets 5 --every 4 --jobs 2
bench-search: .venv/bench
	$(BIN)/python benchmarks/search.py $(addprefix --tables ,$(TABLES)) --out search.jsonl \
		--write docs/benchmarks.md $(SEARCH)

clean:
	rm -rf .venv

.venv/base:
	$(PYTHON) -m venv .venv
	touch $@

# torch first and by its exact version, so that nothing pulls another build
.venv/torch: .venv/base constraints.txt
	$(PIP) torch==2.13.0
	touch $@

.venv/demo: .venv/torch pyproject.toml
	$(PIP) -e '.[demo]'
	touch $@

.venv/dev: .venv/demo pyproject.toml
	$(PIP) -e '.[demo,dev]'
	touch $@

.venv/bench: .venv/torch pyproject.toml
	$(PIP) -e '.[demo,bench]'
	touch $@
