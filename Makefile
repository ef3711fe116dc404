# The verbs: demo, serve, test, check, bench, docs, soak, clean. Each sets up what it needs by itself.
# Only this file needs a Unix; `pip install .` and `openpersonalize ...` do the same anywhere.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= openpersonalize-demo
PORT   ?= 8077
TORCH  := requirements/torch_wheels.py install
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo serve test check bench bench-accuracy docs soak format lock audit clean

demo: $(VENV)/.run
	$(BIN)/openpersonalize demo --data-dir $(DATA)

serve: $(VENV)/.run
	$(BIN)/openpersonalize serve --data-dir $(DATA) --port $(PORT)

# A worker per core and two more; a file's tests stay together, so that what a file makes once is made once, and files go
# in the order of tests/conftest.py. One test alone, or a debugger: .venv/bin/python -m pytest tests/serving/test_answer.py -k popular
WORKERS ?= auto
#
# The servers and the steps that tests start load what was compiled once, whatever the environment says.
test soak: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 15 --durations-min 1 $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench

# Our recipe beside what a team could pick instead, on public data; goes on where it was stopped. See docs/accuracy.md.
# PEERS_PYTHON=... uses a Python that has requirements/peers.txt already.
ACCURACY ?= accuracy
PEERS    := .venv-peers
bench-accuracy: $(VENV)/.dev $(if $(PEERS_PYTHON),,$(PEERS)/.peers)
	@test -n "$(DATA_DIR)" || { echo "Name the folder of data sets: make bench-accuracy DATA_DIR=/path"; exit 1; }
	PEERS_PYTHON="$(or $(PEERS_PYTHON),$(PEERS)/bin/python)" OMP_NUM_THREADS=1 $(BIN)/python -m bench.accuracy \
	  "$(DATA_DIR)" --results "$(ACCURACY)" --page docs/accuracy.md $(ARGS)

# What takes long: hundreds of kills, long fuzzing.
soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak --timeout 3600

# The site is in build/site: open index.html, or for its search `python3 -m http.server -d build/site`.
docs: $(VENV)/.dev
	$(BIN)/python -m docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Hashed requirements; torch, whose wheel differs by platform, has a file of its own (torch.txt, by torch_wheels.py), and what
# torch needs is named in build.in.
# Without addresses: any index that serves the same files will do.
TOOLS       := .venv-tools
PIP_COMPILE = $(TOOLS)/bin/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --no-header --strip-extras --unsafe-package torch
lock: $(VENV)/.dev $(TOOLS)/.tools
	$(PIP_COMPILE) --extra dev -o requirements/dev.txt pyproject.toml requirements/build.in
	$(PIP_COMPILE) -c requirements/dev.txt -o requirements/run.txt pyproject.toml requirements/build.in
	$(PIP_COMPILE) -o requirements/peers.txt requirements/peers.in
	$(PIP_COMPILE) --allow-unsafe -o requirements/tools.txt requirements/tools.in

# Known holes in what is installed, from the OSV database; needs the network. See SECURITY.md.
audit: $(TOOLS)/.tools
	$(TOOLS)/bin/pip-audit -s osv --disable-pip --require-hashes -r requirements/run.txt

$(TOOLS)/.tools: $(BIN)/python requirements/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements/tools.txt
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) $(TOOLS) $(DATA) build dist src/*.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "OpenPersonalize needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python cannot make virtual environments: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python requirements/run.txt pyproject.toml
	$(BIN)/python $(TORCH)
	$(PIP) install -q --require-hashes -r requirements/run.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

# The peers' libraries want an older NumPy than we do.
$(PEERS)/.peers: $(BIN)/python requirements/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python $(TORCH)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements/peers.txt
	@touch $@

$(VENV)/.dev: $(BIN)/python requirements/dev.txt pyproject.toml
	$(BIN)/python $(TORCH)
	$(PIP) install -q --require-hashes -r requirements/dev.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run
