# ValueDrift. `make demo` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
EXPORT_BIN := .venv-export/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

PROGRAMS := prometheus prometheus-alertmanager
# Tests wait more than they compute, and each process starts a Kafka of its own (300 MB).
TEST_PROCESSES ?= 4

# Tests start a hundred programs; each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test chaos soak test-shipped test-kills test-programs test-security fuzz test-export lint lint-export format bench evaluation experiments wheel clean

help: ## show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

install: .venv/.installed ## create .venv with the valuedrift command in it (onnxruntime for CPU)

demo: .venv/.installed ## the whole story on this machine: Kafka, worker, real responses, an alert and a plot
	$(BIN)/valuedrift demo

test: .venv/.dev ## unit, property, contract, simulation and real-broker tests
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal

SEEDS ?= 20
chaos: .venv/.dev ## kills, zombies, cuts and a failing broker, then an audit: SEEDS=20, or SEED=7 to run one again (a minute or two each)
	$(if $(SEED),,$(BIN)/python -m pytest -m chaos)
	$(BIN)/python -m tests.chaos $(if $(SEED),seed $(SEED),seeds $(SEEDS))

MINUTES ?= 30
soak: .venv/.dev ## one long run under faults: nothing lost or doubled, and the slope of the workers' memory (MINUTES=30)
	$(BIN)/python -m tests.chaos soak $(MINUTES)

test-shipped: .venv/.dev ## the demo and the shipped classifier, from beginning to end and stopped on the way
	$(BIN)/python -m pytest -m shipped --numprocesses 2 --dist worksteal

test-kills: .venv/.dev ## programs killed at bad moments, and started again
	$(BIN)/python -m pytest -m kills --numprocesses $(TEST_PROCESSES) --dist worksteal

test-programs: .venv/.dev ## tests against programs of Debian (installed with apt-get where missing)
	@for program in $(PROGRAMS); do dpkg-query --show $$program >/dev/null 2>&1 || missing="$$missing $$program"; done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
	$(BIN)/python -m pytest -m programs

test-security: .venv/.dev ## TLS and SASL against a Kafka set up for them; records that kill the worker
	$(BIN)/python -m pytest -m security

fuzz: .venv/.dev ## a million hostile records to every decoder: no crash, no hang, bounded memory
	$(BIN)/python -m tests.fuzz 1000000

test-export: .venv-export/.installed lint-export ## training, ONNX export and parity; installs PyTorch (5 GB) into .venv-export
	$(EXPORT_BIN)/python -m pytest --override-ini addopts= -q --strict-markers --import-mode=importlib tests/export

lint: .venv/.dev ## formatter check, linter, strict types, import rules, shell scripts, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/shellcheck .ci/run docker/install.sh tests/wheel.sh
	$(BIN)/hadolint docker/Dockerfile

lint-export: .venv-export/.installed
	$(EXPORT_BIN)/mypy --no-incremental -p export -p tests.export

format: .venv/.dev ## rewrite the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev ## speed and memory, as ratios against a named baseline in the same run
	$(BIN)/python -m tests.bench

evaluation: .venv/.dev ## measure the shipped classifier on the rows in DATA=DIR and put the figures into README.md
	@test -n "$(DATA)" || { echo "name the folder of labelled rows: make evaluation DATA=DIR"; exit 2; }
	$(BIN)/valuedrift evaluate --data "$(DATA)" --bundle models/default --out out/evaluation
	$(BIN)/python -m tests.figures out/evaluation/evaluation.json

experiments: .venv/.installed ## the paper's three experiments with the bundle in models/default; reports in out/experiments, figures into docs/paper.md
	$(BIN)/valuedrift experiment classifier
	$(BIN)/valuedrift experiment dynamics
	$(BIN)/valuedrift experiment threshold
	$(BIN)/python -m tests.paper_figures out/experiments

wheel: .venv/.dev ## build the wheel, install it in a clean environment, run the command there
	PYTHON="$(BIN)/python" tests/wheel.sh

clean: ## remove environments, caches and results
	rm -rf .venv .venv-export .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build out

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "ValueDrift needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing ValueDrift into .venv (about a minute the first time)"
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[cpu]'
	@touch $@

.venv/.dev: .venv/.installed
	@echo "installing the development tools into .venv"
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[cpu,dev]'
	@touch $@

.venv-export/.installed: pyproject.toml constraints-export.txt | .venv/bin/python
	@echo "installing PyTorch, transformers and optimum into .venv-export (5 GB, some minutes the first time)"
	$(BIN)/python -m venv .venv-export
	$(EXPORT_BIN)/python $(PIP_INSTALL) --constraint constraints-export.txt --editable '.[cpu,export,dev]'
	@touch $@
