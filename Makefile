PY ?= python3
BIN := .venv/bin
# a path may hold anything: the shell takes it from the environment, not from the text of the command
export CAPTURES
DEMO_FLAGS := $(if $(CAPTURES),--captures "$$CAPTURES")
SUPPORTED := import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 15) else \
	f"Python {v[0]}.{v[1]} is not supported: name one from 3.11 to 3.14, as in make setup PY=python3.12")

.PHONY: setup demo test test-slow coverage promises golden docs layering-model lint bench ui lock clean

setup: .venv/.ok

.venv/.ok: requirements.lock pyproject.toml
	test -x $(BIN)/python || { $(PY) -c '$(SUPPORTED)' && $(PY) -m venv .venv; }
	$(BIN)/pip install -q uv
	$(BIN)/uv pip install -q --only-binary :all: --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	touch $@

demo: setup
	$(BIN)/lobforge demo $(DEMO_FLAGS)

# one worker per core; a file stays with its worker, so that what it prepares is prepared once (tests/conftest.py)
test: setup
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: setup
	$(BIN)/pytest -m slow --timeout 7200 --write-promises --hypothesis-profile explore
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow" --timeout 7200 --hypothesis-profile explore

# the same tests with each line noted, which takes longer: lines of Python that ran in the test processes themselves
coverage: setup
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report term

# every test that proves a promise; the results stand in docs/promises.md
promises: setup
	$(BIN)/pytest -m promise --timeout 7200 --write-promises

# after a version in ml/core/versions.py was raised; read the diff before you commit it
golden: setup
	$(BIN)/pytest --write-golden tests/golden

# the pages that follow from the code; tests assert that they are current
docs: setup
	$(BIN)/lobforge features list --markdown > docs/features.md
	$(BIN)/python -m ml.catalog.docs > docs/tables.md

# after a feature of layering clusters, the simulated market or its episodes changed
layering-model: setup
	$(BIN)/lobforge layering build --to ml/layering/shipped

bench: setup
	$(BIN)/python -m tests.benchmarks

ui: setup
	$(BIN)/lobforge ui $(DEMO_FLAGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

# one lock for all supported versions of Python, of packages that have wheels for them; an old lock is a preference:
# remove it, so that the resolver starts from pyproject.toml alone
lock:
	rm -f requirements.lock
	test -x $(BIN)/python || $(PY) -m venv .venv
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --only-binary :all: --python $(BIN)/python --no-header --no-annotate --extra dev -o requirements.lock pyproject.toml

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .numba_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
