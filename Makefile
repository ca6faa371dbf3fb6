# `make demo` and `make test` each do all of their own set-up on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PEERS := .peers/.complete
MUTANTS := .mutants/.complete
DOCS := .docs/.complete
AXE := tools/axe/node_modules/.complete

# every worker and every Lava process would start a pool of BLAS threads of its own
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: axe help setup peers data demo test quick coverage lint types imports check hw mutants matrix bench dist wheel-demo docs docs-serve reference clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*##' '{ printf "%s\t%s\n", $$1, $$2 }'

setup: $(STAMP)  ## create .venv with everything that is tested, Lava included

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	# lava-nc 0.10.0 declares Python < 3.11; it runs on newer ones with our import-time shim
	$(BIN)/neurossm install lava
	# lava-dl's own network is what imported netx files are compared with; its torchvision is not needed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python lava-dl==0.6.0
	touch $@

peers: $(PEERS)  ## fetch snnTorch, Norse, SpikingJelly and sinabs into .peers, for the tests of their neurons

# not into .venv: without their needs (torchvision, tensorboard) they are no whole packages
$(PEERS): constraints-peers.txt $(STAMP)
	rm -rf .peers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .peers --requirement constraints-peers.txt
	touch $@

data: $(STAMP)  ## fetch MNIST and verify its checksums (nothing if it is there)
	$(BIN)/neurossm data fetch mnist

demo: $(STAMP) data  ## the main job on real MNIST: PyTorch to Lava, with the report
	$(BIN)/neurossm demo

test: $(STAMP) $(PEERS) data  ## the whole test suite, notebooks and hardware replays included
	$(BIN)/python -m pytest -q
	$(BIN)/python -m pytest -q --nbmake --override-ini=testpaths=notebooks
	$(BIN)/python -m pytest hw_tests --target fast

quick: $(STAMP)  ## the fast tests, under a minute; CONTRIBUTING.md says what it leaves out
	$(BIN)/python -m pytest -q tests -m "not lava and not slow and not hostile"

# what runs in the process of the tests: not the children that Lava, torchrun and the commands start
coverage: $(STAMP) $(PEERS) data  ## lines and branches that the tests run, and the list of the rest; fails below FLOOR=90 percent
	$(BIN)/python -m coverage run -m pytest -q tests
	$(BIN)/python -m coverage report --fail-under $(or $(FLOOR),90)

hw: $(STAMP)  ## golden traces on the chip, where there is one: make hw TARGET=loihi2
	$(BIN)/python -m pytest hw_tests --target $(or $(TARGET),loihi2)

lint: $(STAMP)  ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## static types
	$(BIN)/mypy

imports: $(STAMP)  ## the layers of ARCHITECTURE.md
	$(BIN)/lint-imports

$(AXE): tools/axe/package.json tools/axe/package-lock.json
	cd tools/axe && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund
	touch $@

axe: $(STAMP) $(AXE)  ## accessibility and widths of every kind of report, in Chromium (needs Node and Chromium)
	$(BIN)/python tools/axe/reports.py out/axe
	node tools/axe/check.mjs --shots out/axe out/axe/*.html

check: lint types imports  ## lint, types and import contracts

# not into .venv, as the peers: its terminal program would pull in a dozen packages
$(MUTANTS): constraints-mutants.txt $(STAMP)
	rm -rf .mutants
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .mutants --requirement constraints-mutants.txt
	touch $@

mutants: $(STAMP) $(MUTANTS)  ## small faults that no test notices in what changed: make mutants [BASE=main] [FILES=...] [SECONDS=900]
	nice $(BIN)/python tools/mutants.py --base $(or $(BASE),main) --seconds $(or $(SECONDS),900) $(FILES)

matrix: $(STAMP)  ## write the table of docs/reference/nodes.md from what the code says
	PYTHONPATH=tests:tests/support $(BIN)/python -m conformance.matrix

bench: $(STAMP) data  ## speed of the engines and of the training kernels, side by side
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/streaming.py
	$(BIN)/python benchmarks/training.py

reference: $(STAMP)  ## write docs/reference/commands.md from the help of the commands
	$(BIN)/python tools/commands_page.py

# an environment of its own: the site reads the sources and imports nothing of them
$(DOCS): constraints-docs.txt
	$(PYTHON) -m venv .docs
	.docs/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-docs.txt mkdocs-material 'mkdocstrings[python]' ruff
	touch $@

docs: $(DOCS)  ## build the documentation site into site/, strictly
	NO_MKDOCS_2_WARNING=1 .docs/bin/mkdocs build --strict

docs-serve: $(DOCS)  ## show the site on localhost while you write
	NO_MKDOCS_2_WARNING=1 .docs/bin/mkdocs serve

dist: $(STAMP)  ## build wheel and sdist into dist/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt build
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

WHEEL_DEMO := $(abspath out/wheel-demo)

wheel-demo: dist  ## the demo from the wheel, in an environment and a folder of its own
	rm -rf $(WHEEL_DEMO) && mkdir -p $(WHEEL_DEMO)/empty
	$(PYTHON) -m venv $(WHEEL_DEMO)/venv
	$(WHEEL_DEMO)/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$$(ls $(abspath dist)/*.whl)[torch,lava]"
	cd $(WHEEL_DEMO)/empty && ../venv/bin/neurossm demo

clean:  ## remove the environment and caches
	rm -rf $(VENV) .docs .peers .mutants site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage dist out
