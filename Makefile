# Everything needs Python 3.11 or later, gcc and a package index. `make help` lists the targets.
#   PYTHON=python3.12   the interpreter of a new virtual environment
#   VENV=.venv-3.12     where that environment is
#   ARGS="--workers 2"  more for `make run`
#   PYTEST_ARGS="-x"    more for pytest
#   DEBUG_TESTS=tests   what runs on the debug and sanitizer builds; tests/unit if not said
#   COVERAGE_ARGS=...   more for `make coverage`, such as "--floor 95 -- -x"
#   BENCH_ARGS=...      more for `make bench-macro`

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=
DEBUG_TESTS ?= tests/unit
COVERAGE_ARGS ?=
BENCH_ARGS ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check
SET_UP := $(PY) setup.py --quiet
# A variant's package comes before the one in the source tree, in pytest and in what it starts.
variant_env = PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/build/$(1):$(CURDIR)
PARTS := $(MAKE) --no-print-directory --output-sync=target
PYTEST_VARIANT := $(PY) -m pytest -p pygw
SANITIZERS = LD_PRELOAD=$$(gcc -print-file-name=libasan.so) PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

.PHONY: help run test test-release test-debug test-asan coverage lint docs schema build clean
.PHONY: pytest-units pytest-adversity pytest-others
.PHONY: bench bench-micro bench-macro bench-gate

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: build  ## build pygw and serve the quickstart on http://127.0.0.1:8080
	exec $(VENV)/bin/pygw run $(ARGS)

build: $(VENV)/ready  ## compile the core in place, what changed only
	PYGW_BUILD=release $(SET_UP) build_ext --inplace

# Three parts at once for two cores: most of tests/adversity is waiting for what must not come.
test: build $(VENV)/with-test  ## run the whole suite, and DEBUG_TESTS on the debug build
	@echo "three of four parts run at once; the output of each comes when it is over"
	+$(PARTS) --jobs=3 test-debug pytest-units pytest-adversity pytest-others

test-release: build $(VENV)/with-test  ## run the suite on the release build
	+$(PARTS) --jobs=2 pytest-units pytest-adversity pytest-others

pytest-units: $(VENV)/with-test
	$(PY) -m pytest -p no:cacheprovider tests/unit $(PYTEST_ARGS)

pytest-adversity: $(VENV)/with-test
	$(PY) -m pytest -p no:cacheprovider tests/adversity $(PYTEST_ARGS)

pytest-others: $(VENV)/with-test
	$(PY) -m pytest --ignore=tests/unit --ignore=tests/adversity $(PYTEST_ARGS)

test-debug: $(VENV)/with-test  ## run DEBUG_TESTS with BUG_ON and the malloc arena on
	PYGW_BUILD=debug $(SET_UP) build
	$(call variant_env,debug) $(PYTEST_VARIANT) -p no:cacheprovider $(DEBUG_TESTS) $(PYTEST_ARGS)

test-asan: $(VENV)/with-test  ## run DEBUG_TESTS under AddressSanitizer and UBSan
	PYGW_BUILD=asan $(SET_UP) build
	@# A report ends the process: captured by pytest's descriptors, nobody would ever see it.
	$(call variant_env,asan) $(SANITIZERS) $(PYTEST_VARIANT) --capture=sys $(DEBUG_TESTS) $(PYTEST_ARGS)

coverage: $(VENV)/with-test  ## run the suite on counting builds; tell which lines never ran
	$(PY) tests/tools/coverage.py $(COVERAGE_ARGS)

lint: $(VENV)/with-lint $(VENV)/with-test  ## check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/cython-lint pygw/_core
	$(VENV)/bin/mypy pygw benchmarks hooks/python tests/tidy tests/test_tidy.py

docs: $(VENV)/ready  ## generate docs/ and pygw/keys.py from the models and commands
	$(PY) docs/generate.py

schema: $(VENV)/with-gen  ## generate structs and codecs from proto/
	$(PY) -m pygw.gen.core

bench: bench-micro bench-macro bench-gate  ## measure everything, results into benchmarks/results

bench-micro: build $(VENV)/with-bench  ## what single parts cost
	$(PY) -m benchmarks.micro

bench-macro: build $(VENV)/with-bench  ## what a request costs beside nginx, haproxy and a raw relay
	$(PY) -m benchmarks.macro $(BENCH_ARGS)

bench-gate: build $(VENV)/with-bench  ## instructions and system calls of a request
	$(PY) -m benchmarks.gate

clean:  ## remove what was built, but not the virtual environments
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pygw tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	find pygw -name '*.so' -delete

# The environment: build tools, then pygw itself from this tree. Extensions are left to `build`.
$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pygw needs Python 3.11 or later: make PYTHON=python3.11 ..." >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"] \
		["requires"], sep="\n")' > $(VENV)/build-requires.txt
	$(PIP) install --requirement $(VENV)/build-requires.txt
	PYGW_BUILD=none $(PIP) install --no-build-isolation --editable .
	touch $@

$(VENV)/with-%: $(VENV)/ready
	PYGW_BUILD=none $(PIP) install --no-build-isolation --editable '.[$*]'
	touch $@
