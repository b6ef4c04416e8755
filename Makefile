# make help: what there is.   Everything runs in an environment of its own, .venv, that make creates.
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run-installed
DEV_STAMP := $(VENV)/.dev-installed
TESTS ?= tests examples/pytest_suite
# what is run again interpreted and with bounds checks
REDUCED := tests/firmware_sim tests/hil/plant/test_conservation.py tests/hil/test_gears.py tests/hil/fault/test_primitives.py tests/hil/fault/test_shapes.py

.PHONY: accuracy help demo test check bench docs format lint types floors wheel reduced picture mutants wall campaign twins wires wires-ci test-socketcan test-peers clean

help:
	@echo "make demo    install into $(VENV) and run the main job; prints the verdict and where the report lies"
	@echo "make test    install everything and run the tests"
	@echo "make wall    the tests that live in wall time: real wires, programs that are stopped and killed"
	@echo "make campaign every scenario and every limit against a broken firmware: each must fail"
	@echo "make check   every gate: format, lint, types, import floors, docs, wheel and smoke run, tests"
	@echo "make bench   speed table, ratios against the obvious design"
	@echo "make docs    build the documentation into site/"
	@echo "make picture the picture of the report in the README (needs chromium)"
	@echo "make mutants which scenario catches which broken firmware: writes docs/mutants.md (minutes)"
	@echo "make twins   the C firmware against the emulator over every scenario of nfm-16s (minutes)"
	@echo "make wires-ci eight scenarios over four transports, verdict for verdict (minutes)"
	@echo "make wires   all scenarios over every transport, verdict for verdict (hours; goes on where it was)"
	@echo "make test-socketcan the bench on a real kernel's CAN, in user-mode Linux (installs Debian packages; 4 minutes)"
	@echo "make test-peers logs read back by can-utils, tshark and asammdf (installs them)"
	@echo "make accuracy fit every fold again and compare with docs/accuracy.md (minutes)"
	@echo "make clean   remove $(VENV) and everything built"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nabench needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): $(BIN)/python requirements/run.txt requirements/build.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(RUN_STAMP)
	$(BIN)/nabench run cell-overvoltage-sense

wall: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -n 2 -m wall tests/hil tests/docs

campaign: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -n 2 -m campaign tests/test_mutants.py

test: $(DEV_STAMP)
	$(BIN)/python -m pytest -n 2 $(TESTS)

check: format lint types floors docs wheel reduced wall campaign test
	@echo "all gates passed"

format: $(DEV_STAMP)
	$(BIN)/ruff format --check .

lint: $(DEV_STAMP)
	$(BIN)/ruff check .

types: $(DEV_STAMP)
	$(BIN)/mypy

floors: $(DEV_STAMP)
	$(BIN)/lint-imports

docs: $(DEV_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site

wheel: $(DEV_STAMP)
	rm -rf dist build/smoke
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .
	$(PYTHON) -m venv build/smoke
	build/smoke/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	build/smoke/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	cd build/smoke && bin/nabench run cell-overvoltage-sense --out runs && bin/nabench judge runs/cell-overvoltage-sense

reduced: $(DEV_STAMP)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -n 2 -m "not compiled_only" $(REDUCED)
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest -q -n 2 $(REDUCED)

bench: $(RUN_STAMP)
	$(BIN)/nabench bench

picture: $(DEV_STAMP)
	$(BIN)/python tools/picture.py
	$(BIN)/python tools/picture.py cells

accuracy: $(DEV_STAMP)
	$(BIN)/python tools/fit_nfm.py --check
	$(BIN)/python tools/tub_nfm.py --check
	$(BIN)/python tools/fit_nvpf.py --check
	$(BIN)/python tools/loo_nfm.py --check
	$(BIN)/python tools/make_cells.py --check

mutants: $(DEV_STAMP)
	$(BIN)/python tools/mutants.py --write

twins: $(DEV_STAMP)
	$(BIN)/python tools/twins.py --write

wires-ci: $(DEV_STAMP)
	$(BIN)/python tools/every_wire.py --ci

wires: $(DEV_STAMP)
	$(BIN)/python tools/every_wire.py --write

test-socketcan: $(DEV_STAMP)
	$(BIN)/python tools/socketcan.py

test-peers: $(DEV_STAMP)
	apt-get install --yes --quiet --no-install-recommends can-utils tshark
	$(BIN)/python -m pip install --quiet --disable-pip-version-check asammdf==8.8.28
	$(BIN)/python -m pytest -q -n0 tests_peers

clean:
	rm -rf $(VENV) build dist site nabench-runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
