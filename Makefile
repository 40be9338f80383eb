# Everything a newcomer types. `make` alone lists it; only `setup` (which the others call) downloads.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast check bench bench-smoke bench-micro quality chaos clean

BIN := .venv/bin
STAMP := .venv/.complete
UV_VERSION := 0.13.9
ARGS ?=
ROUNDS ?= 10
# Two files of tests at a time; one after the other: PARALLEL=
PARALLEL ?= -n 2 --dist loadfile

# uv brings its own certificates; behind a company proxy the machine's are the right ones.
CERTIFICATES := /etc/ssl/certs/ca-certificates.crt
ifeq ($(SSL_CERT_FILE),)
ifneq ($(wildcard $(CERTIFICATES)),)
export SSL_CERT_FILE := $(CERTIFICATES)
endif
endif

# Before the tests, as a download may take longer than a test is allowed to; nothing happens when it is there.
define FETCH_KAFKA
import sys
from pathlib import Path
from streams.broker.jars import fetch_jars
from streams.errors import LiveSegmentsError
from streams.settings import load_settings
try:
    fetch_jars(Path(load_settings().cache))
except LiveSegmentsError as error:
    sys.exit(str(error))
endef
export FETCH_KAFKA

help:  ## list what can be made
	@echo "live-segments: make TARGET [ARGS=\"...\"]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## create .venv from uv.lock (Python 3.11 or newer); quick when up to date
	@:

$(STAMP): pyproject.toml uv.lock
	@python=; for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "live-segments needs Python 3.11 or newer; install it, or name one: make setup PYTHON=/path/to/python3" >&2; \
	  exit 1; fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	  echo "$$python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  exit 1; fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  echo "creating .venv with $$python"; "$$python" -m venv --clear .venv; fi
	@$(BIN)/uv --version 2>/dev/null | grep -q '^uv $(UV_VERSION)' || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "installing the packages that uv.lock names"
	@UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv VIRTUAL_ENV= $(BIN)/uv sync --frozen --quiet --compile-bytecode
	@echo "compiling kernels, once on this machine: up to a minute"; $(BIN)/python -m streams.compiling
	@touch $(STAMP)

demo: setup  ## a shop, a worker and its segment changes on this machine; options: ARGS="--events 20000"
	@$(BIN)/live-segments demo $(ARGS)

test: setup  ## all tests, on a real Kafka where java and mvn are there; one file: ARGS=tests/unit/test_x.py
	@if [ -n "$$KAFKA_BOOTSTRAP" ]; then :; \
	elif command -v java >/dev/null 2>&1 && command -v mvn >/dev/null 2>&1; then \
	  $(BIN)/python -c "$$FETCH_KAFKA" || echo "*** Kafka could not be fetched: the tests try again, or fall back"; \
	else \
	  echo "*** java and mvn are not both here: tests that need a real Kafka are SKIPPED and the others use the"; \
	  echo "*** embedded broker, which cannot show exactly-once. On Debian: apt-get install default-jre-headless maven"; \
	fi
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-fast: setup  ## the tests that need neither a broker nor the recorded data
	@$(BIN)/python -m pytest $(PARALLEL) -m "not kafka and not data" $(ARGS)

check: setup  ## lint, format, types, layers, generated docs, alert rules; never writes to the tree
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy ops
	$(BIN)/lint-imports
	$(BIN)/python ops/generated.py --check
	@if command -v promtool >/dev/null 2>&1; then set -x; \
	  promtool check config ops/prometheus/prometheus.yml && promtool check rules ops/prometheus/rules/*.yml && \
	  promtool test rules ops/prometheus/tests/*.yml; \
	else echo "*** promtool is not here: the alert rules are NOT checked. On Debian: apt-get install prometheus"; fi

bench: setup  ## measure beside other systems on a real Kafka, see BENCHMARKS.md: ARGS=latency, ARGS="--only live-segments"
	@$(BIN)/python -m tests.bench $(ARGS)

bench-smoke: setup  ## every benchmark, tiny: that they work
	@$(BIN)/python -m tests.bench smoke $(ARGS)

bench-micro: setup  ## each stage of a worker by itself
	@$(BIN)/python -m pytest tests/bench --benchmark-enable --benchmark-only $(ARGS)

quality: setup  ## the clusterer beside River's own and batch k-means: error, agreement, churn, speed
	@$(BIN)/python -m tests.quality $(ARGS)

chaos: setup  ## kill, freeze and cut workers and brokers, then count: ROUNDS=3; options: ARGS="--seed 7"
	@$(BIN)/python -m tests.chaos --rounds $(ROUNDS) $(ARGS)

clean:  ## remove .venv and all caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
