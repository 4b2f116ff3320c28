# Everything runs in .venv; `make PYTHON=python3.12 ...` chooses another interpreter for it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two test processes with one thread each beat one with two.
JOBS ?= 2
# Where `bench` keeps its runs and their report.
STORE ?= runs/quick

.PHONY: bench test slow docs types lint release constraints clean
.DEFAULT_GOAL := bench

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

bench: $(VENV)/installed  ## train the quick suite on generated data (no network) and write its report
	OMP_NUM_THREADS=1 $(BIN)/atinuke-bench suite quick --out $(STORE) --workers $(JOBS) --wandb disabled
	$(BIN)/atinuke-bench report $(STORE) --out $(STORE)/report

test: $(VENV)/installed  ## lint, check types and test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) -m "not slow"

slow: $(VENV)/installed  ## the tests that `test` leaves out: launchers, signals, W&B's programs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) -m slow

docs: $(VENV)/installed  ## the documentation site, in docs/_build/html; what is doubtful in it ends the build
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

# mypy finds `tasks` and its sisters where an installed package has them: beside the other rooms.
types: $(VENV)/installed
	rm -rf .mypy/src
	mkdir -p .mypy/src/atinuke_bench
	ln -s "$(CURDIR)"/atinuke_bench/* "$(CURDIR)"/tasks "$(CURDIR)"/sweeps "$(CURDIR)"/reports .mypy/src/atinuke_bench
	$(BIN)/mypy

lint: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

release: $(VENV)/installed  ## build the archives, check them and say which tag to make; tags and uploads nothing
	@test -z "$$(git status --porcelain)" || { echo "a release is built from a commit; found changes: git status" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[release]'
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	@version=$$($(BIN)/python -c "import atinuke_bench; print(atinuke_bench.__version__)"); \
	if grep -q "^## \[$$version\] - [0-9]" CHANGELOG.md; \
	then echo "dist/ is checked; now: git tag --annotate v$$version --message 'atinuke-bench $$version'"; \
	else echo "dist/ is checked; before v$$version is tagged, CHANGELOG.md needs its date: ## [$$version] - YEAR-MONTH-DAY"; fi

constraints: $(VENV)/installed  ## pin today's newest versions in constraints.txt (needs the network); then `make test`
	$(BIN)/python .ci/constraints

clean:
	rm -rf $(VENV) .mypy build dist docs/_build docs/generated *.egg-info
