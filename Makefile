# The commands of this repository. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
JOBS := .venvs/jobs/bin/python
AIRFLOW := .venvs/airflow-3.3/bin/python
CHART := .venvs/chart/bin/python
SOURCES := libs services cli local jobs dags scripts deploy benchmarks tests
PYTEST := $(BIN)/python -m pytest
.DEFAULT_GOAL := help
.PHONY: help python setup packages prepare demo test test-unit test-integration test-jobs test-dags test-e2e test-terraform test-helm test-guides test-image test-cluster prove image release bench bench-store check format generate lock clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

python: # what is too old for scripts/setup.py cannot say so itself
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null || { \
	  echo 'setup: Python 3.11 to 3.13 is needed, `$(PYTHON)` is missing or too old: install one' \
	  '(Debian: apt-get install python3 python3-venv) and run `make PYTHON=/path/to/python …`' >&2; exit 2; }

setup: python ## Make the virtual environments (workspace, jobs, AWS stand-in, Airflow)
	@$(PYTHON) scripts/setup.py

demo: setup ## The whole line on this machine: three Spark runs, alerts, approval, DAG runs, downstream run
	@$(BIN)/python -m dwh_local.demo

test: setup packages prepare test-unit test-integration test-e2e ## Every test of the repository
	@$(PYTHON) scripts/setup.py chart policy # once, before two of those below would make them at a time
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-jobs test-dags test-terraform test-helm test-guides

packages: python ## Install the system packages that only tests need, where this user may
	@$(PYTHON) scripts/system_packages.py

prepare: ## Fetch once what the tests start: the jars of the OpenSearch node
	@$(BIN)/python -m dwh_local.prepare

test-unit: ## Units, contracts and architecture, with the coverage bounds
	$(PYTEST) tests/unit tests/contracts tests/architecture libs/faststream-sqs/tests/unit -n 2 --cov --cov-config=tests/coverage.toml --cov-report=term

test-integration: prepare ## Against a real OpenSearch node and the AWS stand-ins
	-@$(PYTHON) scripts/setup.py fauxqs
	$(PYTEST) tests/integration libs/faststream-sqs/tests/integration -n 2 --dist loadfile --timeout 240

test-jobs: ## Spark jobs, in their own environment
	$(JOBS) -m pytest tests/jobs

test-dags: ## DAGs, in a real Airflow
	$(AIRFLOW) -m pytest tests/dags

test-e2e: ## The whole local system: demo, copies, shuffle, kills
	$(PYTEST) tests/e2e

test-terraform: ## Terraform: modules, plans, rights, filters; without AWS and without its provider
	$(PYTEST) tests/terraform

test-helm: python ## The chart: schema, manifests, mistakes in values; without a cluster
	@$(PYTHON) scripts/setup.py chart policy
	$(CHART) -m pytest tests/helm

test-guides: python ## The guides: runs what can run, checks what needs an account or a cluster
	@$(PYTHON) scripts/setup.py workspace terraform chart
	$(PYTEST) tests/guides

test-image: setup prepare ## The image: builds it, then starts its services (root on Debian; skipped elsewhere)
	$(PYTEST) tests/image --timeout 900

test-cluster: setup prepare ## The chart on a real one-node Kubernetes (root on Debian, Go; says so elsewhere)
	$(PYTEST) tests/cluster --timeout 900 -rs --durations=8

prove: setup prepare ## The long proofs at full length: kills, soaks, histories (hours)
	$(PYTEST) -m prove tests/integration libs/faststream-sqs/tests/integration

.PHONY: test-faststream
test-faststream: setup ## The broker's unit tests on the oldest and the newest FastStream it works with
	@$(BIN)/python scripts/faststream_versions.py

image: setup ## Build the image localhost/dwh:<version> without a Docker daemon (root on Debian)
	@$(BIN)/python scripts/image.py

release: setup ## Everything of a release into dist/<version>/; publishes nothing
	@$(BIN)/python scripts/release.py

bench: python ## Measurements of benchmarks/: tables here, figures in benchmarks/results/
	@$(PYTHON) scripts/setup.py workspace peers
	$(BIN)/python benchmarks/sqs/bench.py

bench-store: python ## The event store against its bounds, a bare node and two peers on Postgres
	@$(PYTHON) scripts/setup.py workspace jobs peers-store
	@$(BIN)/python -m dwh_local.prepare
	$(BIN)/python benchmarks/store/bench.py

check: python ## Format, lint, types, imports, dependencies, unit tests
	@$(PYTHON) scripts/setup.py workspace jobs
	@$(BIN)/python scripts/check.py

format: ## Rewrite the sources in house style
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

generate: ## Regenerate schemas and tables; a test fails if that leaves a diff
	$(BIN)/python -m dwh_contracts.schemas libs/contracts/schemas
	$(BIN)/python scripts/helm_schema.py helm/dwh/values.schema.json
	$(BIN)/python scripts/helm_readme.py helm/dwh

lock: ## Resolve requirements/*.in anew into hashed requirements/*.txt
	for file in requirements/*.in; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url $$file -o $${file%.in}.txt; done

clean: ## Stop the local system and remove its state
	-$(BIN)/dwh local down --purge
