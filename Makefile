# Everything a developer runs, by name. Each target sets up what it needs in a virtual environment.
#
#   PYTHON=python3.12   use that interpreter, in an environment of its own (.venvs/3.12)
#   VENV=folder         use that environment

ifdef PYTHON
python := $(shell tools/find-python $(PYTHON))
ifeq ($(python),)
$(error Set PYTHON to a Python 3.11 or later, or leave it out)
endif
VENV ?= .venvs/$(shell $(python) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
else
VENV ?= .venv
endif

run := $(VENV)/bin/python -m
code := stethoscope tests examples benchmarks tools

.DEFAULT_GOAL := help
.PHONY: help demo test test-plain test-all compile check bench page golden docs grafana mutate-alerts
# Make would count the stamps as intermediate files and delete them.
.PRECIOUS: $(VENV)/ready $(VENV)/ready-%

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

$(VENV)/ready:
	@python=$$(tools/find-python $(PYTHON)) && echo "Making $(VENV) with $$python" && "$$python" -m venv $(VENV)
	@# 25.1 is the first pip that reads dependency groups.
	@$(run) pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/ready-%: $(VENV)/ready pyproject.toml
	@echo "Installing the package and the dependency group '$*' into $(VENV)"
	@$(run) pip install -qq --disable-pip-version-check --editable . --group $*
	@touch $@

demo: $(VENV)/ready-demo ## run a small shop with traffic against it and watch it (DEMO_ARGS="--seconds 15")
	@$(run) examples.shop.demo $(DEMO_ARGS)

test: $(VENV)/ready-test ## run all tests (TEST_ARGS="tests/store -k merge")
	@$(VENV)/bin/python tools/require.py test
	@$(VENV)/bin/python tools/compile_hot_path.py
	@$(run) pytest -n 2 --dist loadgroup --hot-path compiled $(TEST_ARGS)

test-plain: $(VENV)/ready-test ## run the tests of the hot path with it as plain Python, as without a C compiler
	@STETHOSCOPE_PURE=1 $(run) pytest -n 2 --hot-path plain tests/store tests/middleware tests/transparency/test_oracle.py tests/instruments/sqlalchemy tests/instruments/runtime/test_worker.py tests/exporters/tracing/test_server_spans.py $(TEST_ARGS)

compile: $(VENV)/ready-compile ## compile the hot path in place; after a change it is plain Python until you do it again
	@$(VENV)/bin/python tools/compile_hot_path.py

test-all: ## run all tests on every supported Python found
	@pythons=$$(tools/find-python --all); test -n "$$pythons" || exec tools/find-python; \
	for python in $$pythons; do echo "== $$python"; $(MAKE) --no-print-directory test PYTHON=$$python || exit 1; done

check: $(VENV)/ready-check ## format, lint, types, import direction, licences
	@$(run) ruff format --check $(code)
	@$(run) ruff check $(code)
	@$(run) mypy $(code)
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/python tools/licences.py

bench: $(VENV)/ready-bench ## measure us beside each peer, in one run (BENCH_ARGS=…)
	@$(VENV)/bin/python tools/require.py bench
	@$(VENV)/bin/python tools/compile_hot_path.py
	@$(run) benchmarks $(BENCH_ARGS)

page: $(VENV)/ready ## build the live page with Node.js, from the PATH or from PyPI
	@$(VENV)/bin/python tools/build_page.py

golden: $(VENV)/ready-test ## rewrite the expected bytes of the expositions, to be read before they are committed
	@$(run) tests.golden.update

docs: $(VENV)/ready-test ## write the reference anew and run the code blocks of the docs
	@$(run) tests.docs.reference
	@$(VENV)/bin/python tools/page_types.py
	@$(run) pytest tests/docs

grafana: $(VENV)/ready ## write dashboards, rules and runbook under grafana/ anew
	@$(run) pip install -qq --disable-pip-version-check --editable .
	@rm -rf grafana/dashboards grafana/rules grafana/alertmanager grafana/provisioning grafana/prometheus grafana/compose grafana/kubernetes
	@for command in dashboards rules alertmanager runbook stack; do $(run) stethoscope $$command --out grafana || exit 1; done

mutate-alerts: $(VENV)/ready-test ## change every alert in every small way and see whether its tests notice (ALERTS="ASGIAbsent")
	@$(run) tests.grafana.mutate $(ALERTS)
