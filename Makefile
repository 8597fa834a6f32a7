# The two commands of the README are `make run` and `make test`; all other targets are for
# developers. Everything is installed into $(VENV), nothing outside this folder is touched.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
RUN_ARGS ?=
# A process for each core; a file's tests stay in one, which has their fixtures.
IN_PROCESSES ?= --numprocesses=auto --dist=loadfile
IN_ANY_PROCESS ?= --numprocesses=auto --dist=worksteal

# Compiled modules are kept, wherever make is called from: the suite starts Python many times.
unexport PYTHONDONTWRITEBYTECODE

# Real MNIST, where the checkout has it at hand; tests that need it are skipped elsewhere.
NEARBY_MNIST = $(abspath ../shared/data/mnist)
ifneq ($(wildcard $(NEARBY_MNIST)),)
export RNN_NATIVE_DATA ?= $(NEARBY_MNIST)
endif

# Keep in sync with build-system.requires in pyproject.toml.
BUILD_REQUIREMENTS = 'setuptools>=77' 'numpy>=2.0' 'scipy-openblas32==0.3.34.481.3'
C_SOURCES = $(wildcard csrc/*/*.[ch] csrc/*/*/*.[ch])
SOURCES = $(C_SOURCES) setup.py pyproject.toml

.PHONY: help run test messages slow test-dask test-mpi levels arm64 fuzz-nets campaign mutants parity lint format docs sanitize coverage wheel wheel-arm64 wheel-check fresh-machine analyze bench clean

# The targets, as CONTRIBUTING.md lists them.
help:
	@sed -n 's/^make /  make /p; s/^\.ci/  .ci/p' CONTRIBUTING.md

run: $(VENV)/.installed
	@echo "Training the reference system's MLP on MNIST; the files go to runs/ ..."
	@$(BIN)/python -m rnn_native train mlp $(RUN_ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(IN_PROCESSES)

# Every message that the suite provokes, on one page to be read: build/messages.md.
messages: $(VENV)/.test
	rm -rf build/messages
	RNN_NATIVE_MESSAGES=$(abspath build/messages) $(BIN)/python -m pytest -q $(IN_PROCESSES)
	$(BIN)/python tests/support/messages.py build/messages >build/messages.md

slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow $(IN_ANY_PROCESS)

# Sweeps and scikit-learn's searches on loky and a cluster of Dask, and Optuna.
test-dask: $(VENV)/.test-dask
	$(BIN)/python -m pytest -q -m dask tests/sweeps
	$(BIN)/python -m pytest -q tests/callbacks/test_pruning.py tests/programs/test_examples.py -k "pruning or optuna"

# Real processes, 4 on however many cores. Where mpi4py or MPICH cannot be had it is skipped.
test-mpi: $(VENV)/.test
	@if $(BIN)/pip install --quiet 'mpi4py>=4' 'mpich>=4.3'; then \
	    RNN_NATIVE_MPI=1 PATH=$(abspath $(BIN)):$$PATH $(BIN)/python -m pytest -m mpi tests/training/test_mpi.py; \
	else echo "test-mpi: skipped: mpi4py and mpich cannot be installed here"; fi

# The tests of nets and training once more with each lower CPU level forced; the best one is
# what `test` runs. What runs on every level by itself is left out.
OF_NETS = core models net training
LEVELS = $$($(BIN)/python -c "from rnn_native import _core as c; print(*c.build_config()['cpu_levels'][:-1])")
levels: $(VENV)/.test
	for level in $(LEVELS); do RNN_NATIVE_CPU=$$level $(BIN)/python -m pytest -q $(IN_PROCESSES) \
	    -m 'not slow and not parity and not mpi and not every_level' $(OF_NETS:%=tests/%) || exit 1; done

# Built for 64-bit ARM, the core's tests run in an emulator; ARM_ARGS instead of these tests.
arm64: $(VENV)/.test
	$(BIN)/pip install --quiet $(BUILD_REQUIREMENTS)
	PATH=$(abspath $(BIN)):$$PATH scripts/arm64.sh test $(ARM_ARGS)

# N random nets with new seeds, and a program for each failure.
N ?= 1000
fuzz-nets: $(VENV)/.test
	$(BIN)/python tests/support/fuzz_nets.py $(N)

# Attacks on files, processes and the core, with a table at the end: SIZE is short, default or
# full; PART names some of them.
SIZE ?= default
campaign: $(VENV)/.test
	$(BIN)/python tests/campaign/run.py --size $(SIZE) $(PART)

# N mutants of the C code, and those that no test sees; FILES names files (all), NOT those that
# are left out.
mutants: $(VENV)/.test
	$(BIN)/python tests/campaign/mutants.py $(N) $(SEED) $(if $(FILES),--files $(FILES)) \
	    --leave-out $(NOT)

parity: $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[parity]'
	RNN_NATIVE_PARITY=1 $(BIN)/python -m pytest -m parity $(IN_ANY_PROCESS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest rnn_native._core --ignore-disjoint-bases \
	    --mypy-config-file pyproject.toml
	$(BIN)/clang-format --dry-run --Werror $(C_SOURCES)
	$(BIN)/codespell
	$(BIN)/python scripts/prose.py
	$(BIN)/python scripts/docstrings.py
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

format: $(VENV)/.lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(C_SOURCES)

# Pages, tour and reference as a site in build/docs. The tour is run; a warning is an error, and
# so is a picture of the tour that does not show. Nothing of an earlier site is left.
docs: $(VENV)/.docs
	rm -rf build/docs build/doctrees
	$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning -b html -d build/doctrees docs build/docs
	RNN_NATIVE_SITE=$(abspath build/docs) $(BIN)/python -m pytest -q tests/repository/test_site.py

# A second build beside the usual one, tested from its own folder so that child processes
# import it too: the tests that reach most of the C code; others reach it through the same
# calls, and so do AGAIN, for the nets of test_nan_leaves_no_trace. The interpreter's own leaks
# are not ours to check, hence no leak detection.
IN_C = base/test_rng.py core formats net training
AGAIN = gradients_match_twin or backprop_matches_twin or training_matches_twin or earlier_batches
sanitize: SANITIZED = $(abspath build/sanitize/lib)
sanitize: $(VENV)/.lint
	$(BIN)/pip install --quiet $(BUILD_REQUIREMENTS)
	RNN_NATIVE_SANITIZE=1 $(BIN)/python setup.py --quiet build \
	    --build-base build/sanitize --build-lib $(SANITIZED)
	cd $(SANITIZED) && PYTHONPATH=$(SANITIZED) PYTHONMALLOC=malloc \
	    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	    UBSAN_OPTIONS=print_stacktrace=1 \
	    $(abspath $(BIN))/pytest -q $(IN_PROCESSES) -c $(CURDIR)/pyproject.toml \
	    -k "not ($(AGAIN))" $(IN_C:%=$(CURDIR)/tests/%)

# Lines of Python, lines and branches of C that the suite reaches, from a build of its own. All
# CPU levels count together: a line is covered when one of them ran it. Inner loops count to
# billions, which gcovr would take for a fault, and threads that count together may fall below 0.
# Allocations that fail are the campaign's. What is not reached, csrc/unreached.txt explains.
coverage: COVERED = $(abspath build/coverage)
coverage: export COVERAGE_FILE = $(COVERED)/python
coverage: $(VENV)/.coverage
	rm -rf $(COVERED)
	$(BIN)/pip install --quiet $(BUILD_REQUIREMENTS)
	RNN_NATIVE_COVERAGE=1 $(BIN)/python setup.py --quiet build \
	    --build-base $(COVERED) --build-lib $(COVERED)/lib
	cd $(COVERED)/lib && PYTHONPATH=$(COVERED)/lib RNN_NATIVE_COVERAGE=1 \
	    $(abspath $(BIN))/coverage run --rcfile $(CURDIR)/pyproject.toml -m pytest -q \
	    $(IN_PROCESSES) -c $(CURDIR)/pyproject.toml $(CURDIR)/tests
	RNN_NATIVE_COVERAGE=1 CAMPAIGN_PACKAGE=$(COVERED)/lib \
	    $(BIN)/python tests/campaign/run.py --size short allocations
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort cover --show-missing >$(COVERED)/python.txt
	$(BIN)/gcovr --root . --filter csrc/ --gcov-suspicious-hits-threshold 0 \
	    --gcov-ignore-parse-errors=negative_hits.warn_once_per_file \
	    --txt $(COVERED)/c.txt --json $(COVERED)/c.json --print-summary $(COVERED)
	$(BIN)/python scripts/unreached.py $(COVERED)/c.json
	tail -1 $(COVERED)/python.txt

# Source and wheel; on Linux the wheel is for glibc 2.28 and later, and checked for that.
wheel: $(VENV)/.wheel
	rm -rf dist
	$(BIN)/python -m build --sdist
	PATH=$(abspath $(BIN)):$$PATH scripts/wheel.sh

# The one for 64-bit ARM, on another machine.
wheel-arm64: $(VENV)/.wheel
	PATH=$(abspath $(BIN)):$$PATH scripts/wheel.sh aarch64

# The wheel in a venv of its own, used from a folder that has nothing to do with this one.
wheel-check: wheel
	rm -rf build/wheel-check
	$(PYTHON) -m venv build/wheel-check
	build/wheel-check/bin/pip install --quiet --disable-pip-version-check dist/*.whl
	test $$(stat -c %s dist/*.whl) -le 10000000
	build/wheel-check/bin/python scripts/check_wheel.py dist/*.whl
	cd build/wheel-check && bin/python -c "import rnn_native as rn; \
	    print(rn.train_mlp('synthetic', epochs=1), rn.pretrained.load())"
	cd build/wheel-check && bin/rnn-native doctor
	build/wheel-check/bin/pip install --quiet --disable-pip-version-check \
	    "$$(ls dist/*.whl)[onnx,sklearn,tensorboard]"
	cd build/wheel-check && bin/python $(CURDIR)/scripts/import_every_module.py $(CURDIR)

# gcc's analyzer, clang-tidy and cppcheck over the C code; csrc/analyzers.txt and csrc/cppcheck.txt
# have what is no fault, and why.
analyze: $(VENV)/.installed
	PATH=$(abspath $(BIN)):$$PATH scripts/analyze.sh

# The README's two commands in a Debian 12 with nothing but the packages that it names.
fresh-machine:
	scripts/fresh_machine.sh

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/compare.py --write benchmarks/results.md

$(VENV)/.wheel: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check $(BUILD_REQUIREMENTS) --editable '.[wheel]'
	touch $@

$(VENV)/.coverage: $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[coverage]'
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs,test]'
	touch $@

clean:
	rm -rf build dist *.egg-info $(VENV) rnn_native/_blas rnn_native/_core*.so

$(VENV)/bin/pip:
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/pip $(SOURCES)
	@echo "Fetching NumPy and others, and compiling $(words $(C_SOURCES)) C files for each kind of"
	@echo "CPU: a minute or two, once ..."
	@RNN_NATIVE_WERROR=$(WERROR) $(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/.test-dask: $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test-dask]'
	touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[bench]"
	touch $@

$(VENV)/.lint: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	touch $@
