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

# Test modules run in processes side by side, each with one thread: one more than cores, because some wait for a browser.
PROCESSES := $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
PARALLEL = -n $(PROCESSES) --dist loadfile
test test-312: export OMP_NUM_THREADS = 1

.PHONY: app test test-312 space bench docs lint lock sbom release clean

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

# What pip resolves today for a fresh environment: the constraints of all environments from then on. Commit both files.
# Nothing is installed. Left out are root certificates, which should be the newest, setuptools, and the libraries of a
# build of PyTorch, as are local labels such as +cpu. `make lock HOLD='torch==2.13.0'` holds a version back.
LOCKED := '.[dev,eval,heic,import,postgres,train]' $(HOLD)
lock:
	mkdir -p build
	set -e; for python in $(PYTHON) $(PYTHON312); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  $$python -m venv --clear build/lock; \
	  build/lock/bin/pip install --quiet --disable-pip-version-check --dry-run --report build/lock.json $(LOCKED); \
	  { echo "# What \`make lock\` resolved for Python $$version, without local labels of versions"; \
	    $$python -c 'import json; \
	  items = (item["metadata"] for item in json.load(open("build/lock.json"))["install"]); \
	  lines = ["%(name)s==%(version)s" % item for item in items]; \
	  print(*sorted(lines, key=lambda line: line.lower().replace("_", "-")), sep="\n")' \
	      | grep -v -E '^(asccl|certifi|setuptools|triton|nvidia-.*|cuda-.*)==' | sed 's/+[a-z0-9.]*$$//'; } > build/new.lock; \
	  mv build/new.lock requirements-$$version.lock; \
	done

# Name, version and licence of every package that an installation brings, in the CycloneDX format of audit tools.
sbom: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.sbom --output build/sbom.json $(ARGS)

# `make release VERSION=1.0.2` shows what would change; with YES=1 it runs all checks, then commits, tags and builds.
release: $(VENV)/dev.stamp $(if $(YES),test docs sbom)
	$(BIN)/python -m asccl publish release $(VERSION) $(if $(YES),--yes)

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
