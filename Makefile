# Two commands: `make up` runs Syndicate on the embedded default, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK = $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

.PHONY: up test test-long lint bench lock wheel

$(VENV)/.up: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.up
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

up: $(VENV)/.up
	$(BIN)/syndicate up

# Four at a time, also on two cores: the long ones wait for a minute to come round.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --maxschedchunk 2 -m "not long" $(ARGS)

test-long: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --maxschedchunk 2 $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel --no-isolation

lock: $(VENV)/.dev
	$(BIN)/pip install -q uv
	$(LOCK) --extra build pyproject.toml -o requirements.lock
	$(LOCK) --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
