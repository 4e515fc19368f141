PYTHON ?= python3
PYTHON312 ?= python3.12
VENV := .venv
VENV312 := .venv-3.12
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# The versions that were tested with this Python (`make lock`), where there is such a list.
LOCK := $(wildcard requirements-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])').lock)
CONSTRAINT := $(addprefix --constraint ,$(LOCK))
# PyTorch's default wheels for Linux bring 4 GB of GPU libraries. Without a GPU, take the CPU build where it can be reached.
CPU_INDEX := $(shell [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null && echo https://download.pytorch.org/whl/cpu)

# Test modules run in processes side by side, each with one thread.
PARALLEL := -n logical --maxprocesses 4 --dist loadfile
test test-312: export OMP_NUM_THREADS = 1

.PHONY: app test test-312 space bench docs lint lock sbom clean

app: $(VENV)/run.stamp
	$(BIN)/python app.py --browser $(ARGS)

test: lint
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests that depend on PyAV, which has a newer version on Python 3.12.
test-312: $(VENV312)/test.stamp
	$(VENV312)/bin/python -m pytest tests/video tests/face tests/editing tests/commands tests/test_bad_input.py $(PARALLEL) $(ARGS)

# The app as a Space: a fresh environment of Python 3.12, no home, port 7860, first page and one edit. Takes minutes.
space: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.space $(ARGS)

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/dev.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# What pip resolves today in fresh environments: the constraints of all environments from then on. Commit both files.
# Left out are root certificates, which should be the newest, and the libraries that belong to a build of PyTorch.
lock:
	set -e; for python in $(PYTHON) $(PYTHON312); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  folder=build/lock-$$version; \
	  rm -rf $$folder; $$python -m venv $$folder; \
	  [ -z "$(CPU_INDEX)" ] || $$folder/bin/pip install --quiet --retries 0 torch torchvision --index-url $(CPU_INDEX) \
	    || echo "taking PyTorch's default build"; \
	  $$folder/bin/pip install --quiet --editable '.[dev,eval,heic,import,postgres,train]'; \
	  { echo "# What \`make lock\` resolved for Python $$version, without local labels of versions"; \
	    $$folder/bin/pip freeze --exclude-editable | grep -v -E '^(certifi|triton|nvidia-.*|cuda-.*)==' \
	      | sed 's/+[a-z0-9.]*$$//'; } > requirements-$$version.lock; \
	  rm -rf $$folder; \
	done

# Name, version and licence of every installed package in the CycloneDX format, which audit tools read.
sbom: $(VENV)/run.stamp
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom
	build/sbom/bin/cyclonedx-py environment $(BIN)/python --output-format JSON --output-file build/sbom.json

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt $(LOCK) | $(BIN)/python
	[ -z "$(CPU_INDEX)" ] || $(PIP) $(CONSTRAINT) --retries 0 torch --index-url $(CPU_INDEX) \
	  || echo "taking PyTorch's default build"
	$(PIP) $(CONSTRAINT) -r requirements.txt
	touch $@

$(VENV)/dev.stamp: requirements.txt pyproject.toml $(LOCK) | $(BIN)/python
	[ -z "$(CPU_INDEX)" ] || $(PIP) $(CONSTRAINT) --retries 0 torch torchvision --index-url $(CPU_INDEX) \
	  || echo "taking PyTorch's default build"
	$(PIP) $(CONSTRAINT) -r requirements.txt --editable '.[dev]'
	$(BIN)/python -c "import torchvision" 2>/dev/null || $(PIP) --upgrade torch torchvision  # of two different builds
	touch $@ $(VENV)/run.stamp

$(VENV312)/test.stamp: requirements.txt $(wildcard requirements-3.12.lock)
	$(PYTHON312) -m venv $(VENV312)
	$(VENV312)/bin/pip install --quiet --disable-pip-version-check \
	  $(addprefix --constraint ,$(wildcard requirements-3.12.lock)) -r requirements.txt pytest 'pytest-xdist>=3.6' 'scikit-image>=0.24'
	touch $@

clean:
	rm -rf $(VENV) $(VENV312) build site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
