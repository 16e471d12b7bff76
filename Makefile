# Remit's commands. `make` alone lists them.
#
# Needs git, make and any Python 3.8 or newer. uv is installed into .tools/ and uses, or downloads, the Python named in
# .python-version. Each environment has a stamp that depends on its lock file, so an unchanged one costs nothing and a
# changed one is synchronised by whichever target needs it next.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
# A caller's virtual environment or PYTHON* settings must not leak into ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

TOOLS_STAMP := .tools/.stamp
DEV_STAMP := .venv/.stamp
ENGINE_STAMP := .venv-engine/.stamp
SAM_STAMP := .venv-sam/.stamp
STAMPS := $(DEV_STAMP) $(ENGINE_STAMP) $(SAM_STAMP)

LOCKS := tools layer function-payments function-documents function-payment-page dev sam engine

.PHONY: help
help: ## List the commands
	@echo "Remit: serverless billing. Commands:"
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- Environments ---------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(STAMPS) ## Create or refresh the Python environments

$(TOOLS_STAMP): requirements/tools.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3 is needed: install it, or name one with PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing uv into .tools"
	@if [ -x .tools/bin/python ] || $(PYTHON) -m venv .tools >/dev/null 2>&1; then \
		.tools/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/tools.txt; \
	elif rm -rf .tools && $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes --target .tools -r requirements/tools.txt; \
	else \
		echo "This Python has neither venv (with ensurepip) nor pip: on Debian or Ubuntu, 'apt install python3-venv'" >&2; \
		exit 1; \
	fi
	@touch $@

# uv looks for an installed Python 3.13 and downloads one only if there is none. The version probe guards against an
# environment that was left behind by an interpreter that has since been removed.
define create_environment
	@echo "Preparing $(1)"
	@$(1)/bin/python -c '' 2>/dev/null || $(UV) venv -q --clear --python "$$(cat .python-version)" $(1)
	@$(UV) pip sync -q --require-hashes --compile-bytecode --python $(1)/bin/python $(2)
	@touch $(1)/.stamp
endef

$(DEV_STAMP): requirements/dev.txt .python-version $(TOOLS_STAMP)
	$(call create_environment,.venv,requirements/dev.txt)

$(ENGINE_STAMP): requirements/engine.txt .python-version $(TOOLS_STAMP)
	$(call create_environment,.venv-engine,requirements/engine.txt)

$(SAM_STAMP): requirements/sam.txt .python-version $(TOOLS_STAMP)
	$(call create_environment,.venv-sam,requirements/sam.txt)

# ---- The local stack ------------------------------------------------------------------------------------------------

.PHONY: run
run: setup ## Start everything on this machine and walk through the main job (REMIT_PORT=… names the port)
	@$(BIN)/python -m local.run

.PHONY: walk
walk: setup ## Walk through the main job again, on the stack that `make run` keeps running
	@PYTHONPATH=layers/shared $(BIN)/python -m local.walkthrough --again

.PHONY: token
token: $(DEV_STAMP) ## Print shell commands that set API and TOKEN for the running stack: eval "$$(make -s token)"
	@$(BIN)/python -m local.stack token

.PHONY: stop
stop: $(DEV_STAMP) ## Stop the local stack; its data stays
	@$(BIN)/python -m local.stack stop

.PHONY: clean
clean: ## Stop the local stack and remove its data and all build results
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack clean; fi
	@rm -rf .local .aws-sam build

.PHONY: logs
logs: setup ## Follow the logs of the running local stack's functions
	@$(BIN)/python -m local.logs

.PHONY: redrive
redrive: $(DEV_STAMP) ## Send back what rests in the dead-letter queues: QUEUE=gateway-events, all by default
	@$(BIN)/python -m local.redrive $(QUEUE)

.PHONY: audit
audit: $(DEV_STAMP) ## Prove every account and number series of the running local stack; fails if anything differs
	@$(BIN)/python -m local.audit

.PHONY: rebuild-totals
rebuild-totals: $(DEV_STAMP) ## Count all entries anew and compare with the firm's totals: REPLACE=1 to read the new ones
	@$(BIN)/python -m local.rebuild_totals $(if $(REPLACE),--replace)

.PHONY: invoke
invoke: $(DEV_STAMP) ## Call a function with a sample event, without Docker: FUNCTION=health EVENT=ok
	@$(BIN)/python -m local.invoke "$(FUNCTION)" "$(EVENT)"

# ---- Tests and checks -----------------------------------------------------------------------------------------------

# What the tests drive beside Python: an accounting program and a browser. Installed where that needs no question.
PROGRAMS := hledger chromium chromedriver
.PHONY: programs
programs:
	@missing=""; for program in $(PROGRAMS); do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing$$missing"; \
			apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq hledger chromium chromium-driver >/dev/null; \
		else \
			echo "Not installed:$$missing. The tests that need them are skipped (Debian: apt install hledger chromium chromium-driver)"; \
		fi; \
	fi

.PHONY: test
test: setup programs ## Run all tests
	@$(BIN)/pytest

.PHONY: test-unit
test-unit: $(DEV_STAMP) ## Run the tests that need no stack
	@$(BIN)/pytest tests/unit tests/architecture

.PHONY: test-integration
test-integration: setup ## Run the tests against the local engine
	@$(BIN)/pytest tests/integration

.PHONY: test-e2e
test-e2e: setup ## Run the scenarios over HTTP against a deployed local stack
	@$(BIN)/pytest tests/scenarios tests/e2e

.PHONY: lint
lint: $(DEV_STAMP) $(SAM_STAMP) ## Check style, types, layers of the architecture, and the template
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=layers/shared $(BIN)/lint-imports
	@PYTHONPATH=layers/shared $(BIN)/python -m local.openapi --check
	@PYTHONPATH=layers/shared $(BIN)/python -m local.email_templates --check
	@PYTHONPATH=layers/shared $(BIN)/python -m local.postings --check
	@PYTHONPATH=layers/shared:. $(BIN)/python -m local.dunning --check
	@PYTHONPATH=layers/shared $(BIN)/python -m local.requirements --check
	@$(BIN)/python -m local.state_machines --check
	@$(BIN)/cfn-lint template.yaml
	@$(SAM) validate --lint

.PHONY: format
format: $(DEV_STAMP) ## Format the code and sort its imports
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: budgets
budgets: setup ## Print read and write units and calls of each operation; fails above the budgets
	@PYTHONPATH=layers/shared $(BIN)/python -m benchmarks.budgets

.PHONY: bench
bench: setup ## Measure latency and throughput on this machine, and what dunning costs at 1,000 to 100,000 accounts
	@PYTHONPATH=layers/shared $(BIN)/python -m benchmarks

SEED ?= 1
STEPS ?= 100000
.PHONY: simulate
simulate: $(DEV_STAMP) ## All of billing against an adversary, from one seed: SEED=1 STEPS=100000 (TRACE=1 prints every step)
	@PYTHONPATH=layers/shared $(BIN)/python -m simulation --seed $(SEED) --steps $(STEPS) $(if $(TRACE),--trace)

.PHONY: simulate-year
simulate-year: $(DEV_STAMP) ## Thirteen months of a sample firm by the schedules' own times, as a calendar: SEED=1 (MISCHIEF=1 lets schedules fail)
	@PYTHONPATH=layers/shared $(BIN)/python -m simulation.year --seed $(SEED) $(if $(MISCHIEF),--mischief)

.PHONY: openapi
openapi: $(DEV_STAMP) ## Write the API's OpenAPI description from the code
	@PYTHONPATH=layers/shared $(BIN)/python -m local.openapi

.PHONY: docs
docs: openapi ## Write the pages that come from the code: postings, dunning, state machines, requirements, the API's description
	@PYTHONPATH=layers/shared $(BIN)/python -m local.postings
	@PYTHONPATH=layers/shared:. $(BIN)/python -m local.dunning
	@PYTHONPATH=layers/shared $(BIN)/python -m local.requirements
	@$(BIN)/python -m local.state_machines

.PHONY: templates
templates: $(DEV_STAMP) ## Compile the e-mail templates from their MJML sources
	@PYTHONPATH=layers/shared $(BIN)/python -m local.email_templates

.PHONY: preview-emails
preview-emails: $(DEV_STAMP) ## Write each e-mail in each language with sample data into build/emails, to look at in a browser
	@PYTHONPATH=layers/shared $(BIN)/python -m local.email_templates --preview build/emails

# ---- AWS ------------------------------------------------------------------------------------------------------------

# sam wants the functions' Python itself on PATH, not a launcher such as pyenv's shim.
SAM := SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/$(BIN):$$PATH" AWS_DEFAULT_REGION="$${AWS_DEFAULT_REGION:-us-east-1}" .venv-sam/bin/sam
STAGE ?= dev
CONFIG = $(if $(filter dev,$(STAGE)),default,$(STAGE))
ARCHITECTURE ?= arm64

.PHONY: build
build: $(DEV_STAMP) $(SAM_STAMP) ## Build for AWS into .aws-sam (ARCHITECTURE=arm64 or x86_64)
	@REMIT_BUILD_FOR=$(ARCHITECTURE) $(SAM) build --config-env $(CONFIG) --parameter-overrides FunctionArchitecture=$(ARCHITECTURE)

.PHONY: deploy
deploy: build ## Deploy to AWS with the settings of samconfig.toml: STAGE=dev, staging or prod
	@$(SAM) deploy --config-env $(CONFIG)

# ---- Lock files -----------------------------------------------------------------------------------------------------

# What the layer brings must not be packed into a function again: a second copy costs size, and it would shadow the first.
COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version $$(cat .python-version) \
	--generate-hashes --custom-compile-command "make lock"
IN_LAYER = $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements/layer.txt)

.PHONY: lock
lock: $(TOOLS_STAMP) ## Compile requirements/*.in anew, to the newest versions that they allow
	@$(COMPILE) requirements/tools.in -o requirements/tools.txt
	@$(COMPILE) requirements/layer.in -o requirements/layer.txt
	@for extra in function-payments function-documents function-payment-page; do \
		$(COMPILE) $(IN_LAYER) requirements/$$extra.in -o requirements/$$extra.txt; done
	@for environment in dev sam engine; do \
		$(COMPILE) requirements/$$environment.in -o requirements/$$environment.txt; done
