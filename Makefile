# Everything runs in .venv; `make PYTHON=python3.12 ...` chooses another interpreter for it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two test processes with one thread each beat one with two.
JOBS ?= 2

.PHONY: bench test lint clean
.DEFAULT_GOAL := bench

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

bench: $(VENV)/installed  ## train the built-in suite on the official files in $ATINUKE_DATA and print its table
	@if [ -z "$$ATINUKE_DATA" ]; then \
	  echo "The quick suite reads official files of SNLI and GLUE. Set ATINUKE_DATA to the folder that holds"; \
	  echo "snli/ and glue/, then run again:  ATINUKE_DATA=/path/to/data make bench"; \
	  exit 2; \
	fi
	$(BIN)/atinuke-bench suite quick --source local --data-dir "$$ATINUKE_DATA"

test: $(VENV)/installed  ## lint and test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS)

lint: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
