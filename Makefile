# make demo      from a fresh clone to tracks of a whole real genome: needs Python 3.10 or later, nothing else
# make test      style, types and all tests but the slow ones: needs bedtools and Chromium (installed when root)
# make test-all  the slow tests too
# make check     style and types only
# make assets    igv.js, JBrowse and ONNX Runtime for pages that work offline: needs npm
# make clean     remove what the others made, but for the virtual environment

.POSIX:
SHELL = /bin/sh
PYTHON = python3
VENV = .venv
DEMO = trackgen-demo
TEST_PROCESSES = 2
SYSTEM_PACKAGES = bedtools chromium
# More arguments for pip. PyTorch without CUDA: PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_FLAGS =

BIN = $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt
REQUIREMENTS = setup.cfg pyproject.toml constraints.txt
# What install_assets.py makes, or touches, last of all.
ASSETS = trackgen/serve/assets/onnxruntime.LICENSE.txt
SHARED_DATA = ../shared/data
# Real data beside the checkout, where there is any; else the demo gets its genome from a public address.
WITH_DATA = if [ -z "$${TRACKGEN_DATA:-}" ] && [ -d $(SHARED_DATA) ]; then \
	TRACKGEN_DATA=$$(cd $(SHARED_DATA) && pwd); export TRACKGEN_DATA; fi;
# An npm registry that does not answer must not hold up a demo.
WITH_NPM_LIMITS = npm_config_fetch_retries=1 npm_config_fetch_timeout=60000

.PHONY: demo test test-all check assets clean install-demo install-test

demo: install-demo
	@$(WITH_DATA) PATH="$$(cd $(BIN) && pwd):$$PATH" trackgen demo $(DEMO)
	@echo "Look at it: $(BIN)/trackgen serve $(DEMO)/hub"

# pytest comes last, so that its summary ends the output. A file's tests stay on one core: they share what is costly.
test: install-test
	@$(MAKE) check VENV=$(VENV)
	@$(WITH_DATA) $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile -m "not slow"

test-all: install-test
	@$(MAKE) check VENV=$(VENV)
	@$(WITH_DATA) $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

check: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

assets:
	$(PYTHON) plugins/assets/install_assets.py

clean:
	rm -rf build dist *.egg-info $(DEMO) trackgen/serve/assets plugins/jbrowse/cache
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

install-demo: $(VENV)/installed-demo
	@$(WITH_NPM_LIMITS) $(MAKE) --silent $(ASSETS) || echo "going on without: the pages will load igv.js, JBrowse and ONNX Runtime from public addresses" >&2

install-test: $(VENV)/installed-test
	@tools/system_packages.sh $(SYSTEM_PACKAGES)
	@$(WITH_NPM_LIMITS) $(MAKE) --silent $(ASSETS) || echo "going on without: tests that need igv.js, JBrowse or ONNX Runtime are skipped" >&2

$(ASSETS): plugins/assets/package-lock.json
	$(PYTHON) plugins/assets/install_assets.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "trackgen needs Python 3.10 or later: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed-demo: $(REQUIREMENTS) $(BIN)/python
	@echo "installing trackgen into $(VENV)" >&2
	@$(PIP_INSTALL) -e '.[cpu,serve,genes]'
	@touch $@

# What the tests need includes what the demo needs.
$(VENV)/installed-test: $(REQUIREMENTS) $(BIN)/python
	@echo "installing trackgen with training and test tools into $(VENV)" >&2
	@$(PIP_INSTALL) -e '.[cpu,train,serve,genes,test]'
	@touch $@ $(VENV)/installed-demo
