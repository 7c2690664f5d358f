# One command to live (`make up`), one that equals CI (`make test`). Needs Python 3.11 or newer and a network; no root,
# no Docker, no Java, no Node: those come as Python packages into .venv, with versions and hashes from requirements/.

PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
WEB := command_center_ui/web
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(WEB) --no-audit --no-fund --no-update-notifier
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Everything comes built, but http-ece (web push), of which there is only the source.
LOCKED := --require-hashes --no-deps --only-binary :all: --no-binary http-ece
WEB_SOURCES := $(shell find $(WEB) \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

# Much of a test's time is waiting. Files stay whole: what they share is brought up once.
IN_TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DELETE_ON_ERROR:
.PHONY: help install up test check-code check-pages bench soak pages lock
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed pages ## install into .venv and build the pages; what is up to date is skipped

up: install ## bring up everything; --simulate when the data directory is new; more options: make up ARGS="--port 9000"
	@exec $(BIN)/patriot up --simulate-when-new $(ARGS)

test: $(VENV)/.installed-tests pages ## every check that CI runs; one test: make test ARGS="tests/schemas -k place"
	@$(MAKE) --no-print-directory --jobs=2 check-code check-pages
	@echo "== tests" && PATRIOT_CHROMIUM="$$($(BIN)/python .ci/chromium.py)" && export PATRIOT_CHROMIUM && \
		$(BIN)/python -m pytest $(or $(ARGS),$(IN_TWO))

check-code: $(VENV)/.installed-tests
	@echo "== format and lint" && $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@echo "== import contracts" && PYTHONPATH=. $(BIN)/lint-imports --no-logo > $(VENV)/lint-imports.log || \
		{ cat $(VENV)/lint-imports.log; exit 1; }
	@echo "== types" && $(BIN)/mypy --no-error-summary

check-pages: $(WEB)/node_modules/.installed
	@echo "== pages: lint, types, tests" && $(NPM) run --silent lint && $(NPM) run --silent check && $(NPM) run --silent test

bench: $(VENV)/.installed-bench pages ## measure speed and size here, ten minutes; one chapter: make bench ARGS="--only sink"
	@$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/.installed-tests pages ## let every fault strike a city under load, and write docs/faults.md; an hour
	@PATRIOT_SIMULATION=long OPENAPI_EXAMPLES=100 $(BIN)/python -m pytest -q --timeout 3600 \
		tests/simulation tests/week tests/bad_input/test_openapi.py
	@$(BIN)/python -m tests.faults --seeds 1,2 $(ARGS)

pages: $(WEB)/dist/.built ## build the web pages

lock: $(VENV)/.installed-tests ## choose versions anew and write requirements/*.txt
	@$(PIP) install uv
	@for extra in "runtime.txt" "dev.txt --extra test --constraint requirements/runtime.txt" \
			"bench.txt --extra test --extra bench --constraint requirements/dev.txt"; do \
		$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --upgrade --generate-hashes \
			--no-emit-index-url --no-annotate --custom-compile-command "make lock" \
			pyproject.toml requirements/build.in --output-file requirements/$$extra; done

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say where it is (make PYTHON=…)."; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module does not work here. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing packages into .venv (600 MB once, a minute or two) …"
	@$(PIP) install $(LOCKED) --requirement requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.installed-tests: requirements/dev.txt $(VENV)/.installed
	@echo "Installing what the tests need into .venv …"
	@$(PIP) install $(LOCKED) --requirement requirements/dev.txt
	@$(PIP) check
	@$(BIN)/python .ci/chromium.py --install
	@touch $@

$(VENV)/.installed-bench: requirements/bench.txt $(VENV)/.installed-tests
	@echo "Installing what the benchmark holds ours against into .venv …"
	@$(PIP) install $(LOCKED) --requirement requirements/bench.txt
	@$(PIP) check
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json $(VENV)/.installed
	@echo "Installing what builds the pages …"
	@$(NPM) ci --silent
	@touch $@

$(WEB)/dist/.built: $(WEB)/node_modules/.installed $(WEB_SOURCES)
	@echo "Building the pages …"
	@$(NPM) run --silent build -- --logLevel error
	@touch $@
