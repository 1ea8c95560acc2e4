# hfstack. A newcomer needs two: `make demo` and `make test`. Outputs go to dist/ and .cache/, both ignored by git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FROZEN := dist/linux-x86_64/hfstack/hfstack
SOURCES := $(shell find hfstack build -type f \( -name '*.py' -o -name '*.spec' \)) pyproject.toml build/requirements.txt

.PHONY: help demo test check freeze openstack openstack-stop e2e schemas lock format clean

help:
	@echo "make demo            a request's whole life against the sandbox cloud, on any machine with Python >= 3.11"
	@echo "make test            every test that needs neither root nor a real cloud"
	@echo "make check           ruff and mypy"
	@echo "make freeze          the executables: dist/linux-x86_64/hfstack/"
	@echo "make openstack       install and start a real OpenStack on loopback; make openstack-stop stops it"
	@echo "make e2e             the scenarios against the real OpenStack, from source and frozen"
	@echo "make schemas         docs/schemas/: the JSON Schema of each command's answer, from hfstack/wire.py"
	@echo "make lock            pin the newest dependencies; make format, make clean"

$(READY): build/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "hfstack needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@test -x $(BIN)/python -a -x $(BIN)/pip || { echo "setting up $(VENV) (once)"; $(PYTHON) -m venv --clear $(VENV); } || \
	    { echo "$(PYTHON) -m venv does not work: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement build/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)
	@$(BIN)/hfstack demo

test: $(READY)
	$(BIN)/python -m pytest tests -m "not long"

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

freeze: $(FROZEN)

$(FROZEN): $(READY) $(SOURCES)
	$(BIN)/python build/freeze.py

openstack:
	$(PYTHON) -m tests.openstack install
	$(PYTHON) -m tests.openstack start

openstack-stop:
	$(PYTHON) -m tests.openstack stop

e2e: $(FROZEN) openstack
	$(BIN)/python -m pytest tests/frozen
	$(BIN)/python -m pytest tests/scenarios --cloud sandbox --program source -m long
	$(BIN)/python -m pytest tests/scenarios --cloud sandbox --program frozen
	$(BIN)/python -m pytest tests/scenarios --cloud openstack --program source --program frozen -m "not long"

schemas: $(READY)
	$(BIN)/python build/schemas.py

lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --upgrade \
	    --no-emit-index-url --custom-compile-command "make lock" --output-file build/requirements.txt pyproject.toml

clean:
	rm -rf dist .cache/freeze .mypy_cache .ruff_cache .pytest_cache .hypothesis
