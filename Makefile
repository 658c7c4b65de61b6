# Every target does all of its own set-up: it needs python3 >= 3.11 with venv, make and a
# package index. Stamps in .venv keep repeated runs quick; `make clean` removes it all.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv
INSTALL := $(PIP) install --quiet --require-hashes
PACKAGES := b2bua cdr codec ivr mixer recording rtp sip web
PYTHON ?= $(shell sh scripts/find-python)
BENCH_ARGS ?=
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo test check bench peers format lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

run: $(VENV)/run.stamp ## install the server into .venv and serve from var/ (made at first use)
	@test -e var/mitschnitt.db || $(BIN)/mitschnitt init --data var --sample-extensions
	$(BIN)/mitschnitt serve --data var

demo: $(VENV)/demo.stamp ## two telephones, consent by key, two recordings, all of it checked (DEMO_ARGS=--keep)
	@$(BIN)/mitschnitt demo $(DEMO_ARGS)

test: $(VENV)/dev.stamp ## run all tests; installs the test peers where it may
	@sh scripts/peers --if-possible
	@sh scripts/test

check: $(VENV)/dev.stamp ## lint, types, import contracts, wheel, resolvability
	@sh scripts/check

bench: $(VENV)/bench.stamp ## measure everything into bench/results (BENCH_ARGS="--only record-200")
	$(BIN)/python -m bench.all $(BENCH_ARGS)

peers: ## install the phones and tools that the tests speak to (Debian, as root)
	@sh scripts/peers

format: $(VENV)/dev.stamp ## format the sources and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/dev.stamp ## pin all requirements anew (UPGRADE=--upgrade for newer ones)
	@sh scripts/lock $(UPGRADE)

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no python3 >= 3.11 found; set PYTHON=..." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# The project itself comes without dependencies and without a build environment of its
# own: the build back end is pinned among the requirements.
$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements/run.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/bench.stamp: requirements/bench.txt $(VENV)/run.stamp
	$(INSTALL) -r requirements/bench.txt
	@touch $@

$(VENV)/demo.stamp: requirements/phones.txt $(VENV)/run.stamp
	$(INSTALL) -r requirements/phones.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt requirements/phones.txt requirements/wideband.txt requirements/srtp.txt \
		$(VENV)/run.stamp
	$(INSTALL) -r requirements/dev.txt -r requirements/phones.txt -r requirements/wideband.txt \
		-r requirements/srtp.txt
	@touch $@
