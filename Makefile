# Two commands on a fresh machine with Python >= 3.11: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/*/pyproject.toml)))
FIXTURES := tests/fixtures/mien-median
READY := $(VENV)/.ready
# Where reference data lies beside the checkout, its weights are used; the demo also runs without.
SHARED_WEIGHTS := $(wildcard ../shared/weights)
export MIEN_WEIGHTS ?= $(SHARED_WEIGHTS)

.PHONY: demo test fast lint types format bench clean
.DEFAULT_GOAL := demo

demo: $(READY)
	$(BIN)/mien demo --folder demo-output

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

fast: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy kernel/mien $(wildcard $(addsuffix /mien_*,$(PLUGINS)))

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Those that need nothing but the installed packages; memory.py and detect_accuracy.py want clips.
bench: $(READY)
	for name in startup runner passthrough compose colours interop train_models; do \
		$(BIN)/python benchmarks/$$name.py || exit 1; done

clean:
	rm -rf $(VENV) demo-output

# Everything in one pip call: the kernel, all plugins, and an example of a third party's package.
$(READY): pyproject.toml constraints.txt $(addsuffix /pyproject.toml,$(PLUGINS) $(FIXTURES))
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("mien needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,dev]' $(addprefix -e ./,$(PLUGINS) $(FIXTURES))
	$(BIN)/mien doctor
	touch $(READY)
