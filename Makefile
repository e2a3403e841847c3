# Everything a newcomer types: `make demo` and `make test`. Only git, make and Python >= 3.11 are assumed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-offline lint format types layers lock clean bench-controls bench-leakage bench-startup \
	bench-tune bench-augment bench-select bench-precision bench-downstream bench-gradients bench-kmm bench-tradaboost bench-domain-ranking bench-step-cost \
	bench-augment-images bench-perez-wang bench-augment-text bench-scale bench-near-duplicates bench-guards bench-augment-gain \
	bench-packing bench-forgetting bench-digits bench-amazon bench-validators bench-coverage bench-search bench-advise bench-ulmfit train-prior

help:
	@echo "make demo          the whole job on packaged data: gap, selection, augmentation, training, evidence, report"
	@echo "make test          lint, types, layer contract and all tests"
	@echo "make test-offline  the tests that need no packaged model or data"
	@echo "make format        rewrite the code in the house's format"
	@echo "make bench-NAME    controls, leakage, startup, select: figures for docs/benchmarks.md"
	@echo "make lock          resolve requirements.lock anew"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.lock names into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/acclimate demo text $(DEMO)

test: $(READY) lint types layers
	$(BIN)/python -m pytest -n 2

test-offline: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not assets"

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

# Benchmarks write benchmarks/results/NAME.json and docs/benchmarks.md; QUICK=--quick runs a small version.
bench-tune: bench-digits bench-amazon bench-packing bench-forgetting bench-ulmfit

bench-augment: bench-augment-text bench-augment-images bench-step-cost bench-augment-gain bench-perez-wang bench-guards

bench-select: bench-precision bench-downstream bench-domain-ranking bench-gradients bench-kmm bench-tradaboost

bench-controls bench-leakage bench-startup bench-precision bench-downstream bench-gradients bench-kmm bench-tradaboost \
	bench-domain-ranking bench-step-cost bench-augment-images bench-perez-wang bench-augment-text bench-scale \
	bench-near-duplicates bench-guards bench-augment-gain bench-packing bench-forgetting bench-digits bench-amazon \
	bench-validators bench-coverage bench-search bench-advise bench-ulmfit: bench-%: $(READY)
	$(BIN)/python -m benchmarks.$(subst -,_,$*) $(QUICK)

# What advice learned from results/decide (make bench-decide), into the package.
train-prior: $(READY)
	$(BIN)/python -m benchmarks.advise_prior $(QUICK)

# "+cpu" is where a build came from, not a version: without it the lock serves every index.
lock: $(READY)
	$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-annotate --extra dev --extra demo --extra ot --extra vision --extra index --extra llm-api --extra translate --constraint constraints.txt --output-file requirements.lock pyproject.toml
	@sed -i.old 's/+cpu$$//' requirements.lock && rm requirements.lock.old

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
