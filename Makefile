# Each target works alone on a fresh machine that has make and Python 3.11 or newer.
#   make test ARGS="-k unsubscribe -x"     hands arguments on to pytest; likewise for demo, run and bench

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

# The first that is new enough; 3.11 to 3.13 are what requirements.lock is tested with.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help demo test check run bench lock migration

help:
	@echo "make demo    a shop's last months in a minute: journeys, mails, a page to look at"
	@echo "make test    all tests"
	@echo "make check   linters, types, layers"
	@echo "make run     the example workspace, live"
	@echo "make bench   speed, beside a bare baseline"

demo: $(READY)
	@$(BIN)/alur demo $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

run: $(READY)
	@test -e .env || $(BIN)/alur init --secrets
	@$(BIN)/alur apply --yes
	@$(BIN)/alur run $(ARGS)

bench: $(READY)
	@$(BIN)/python bench/send.py $(ARGS)

# What pyproject.toml asks for, pinned with hashes; keeps the versions that are there unless UPGRADE=--upgrade.
lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --group dev --custom-compile-command "make lock" $(UPGRADE) -o requirements.lock pyproject.toml

# make migration NUMBER=0002 TEXT="opens and clicks": writes what engine/tables.py has and the migrations have not.
migration: $(READY)
	$(BIN)/python -m engine.store.migrations.draft $(NUMBER) $(TEXT)

# Done once, and again when what is asked for has changed.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Alur needs Python 3.11, 3.12 or 3.13; say where with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		echo "making $(VENV) with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear $(VENV) || { echo "no venv module here; on Debian: apt install python3-venv" >&2; exit 1; }; }
	@echo "installing what requirements.lock lists (the first time a minute or two)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m compileall -q engine channels  # as pip does with the rest; under PYTHONDONTWRITEBYTECODE nobody else would
	@touch $@
