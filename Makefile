# Each verb does all of its own set-up: Python 3.11+ and make are enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
LINKING ?= host
VENV := .venv
BIN := $(VENV)/bin
LOG := .make-step.log
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Two workers more than cores: a test waits for a browser or a server for a third of its time.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 2)')
# Tests start many processes: they find compiled modules, whatever this shell says about them.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
# `make demo` runs the service and the simulator; `paraph check` runs beside them.
RUN_EXTRAS := --extra service --extra check
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command 'make requirements'

.PHONY: help demo test verify faults crash fuzz flood steady soak memory chaos stampede interoperability endurance fuzz-simulator lint format \
	bench docs requirements clean

help:  ## list these verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# $(call step,words,command): one line that says what is done and how long it took. The output of
# the command is shown only when it fails.
define step
	@printf '%s ... ' '$(1)'; start=$$(date +%s); \
	if ( $(2) ) > $(LOG) 2>&1; then echo "done in $$(( $$(date +%s) - start )) s"; \
	else echo failed; cat $(LOG); rm -f $(LOG); exit 1; fi; rm -f $(LOG)
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "paraph needs Python 3.11 or newer; none was found."; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(call step,Creating a virtual environment in $(VENV),$(PYTHON) -m venv $(VENV))

$(RUN): $(BIN)/python requirements/run.txt requirements/build.txt pyproject.toml
	$(call step,Installing paraph and its dependencies into $(VENV),$(PIP) --require-hashes \
		-r requirements/run.txt -r requirements/build.txt && $(PIP) --no-deps --no-build-isolation -e . \
		&& $(BIN)/python -m compileall -q src)
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	$(call step,Installing the development tools into $(VENV),$(PIP) --require-hashes -r requirements/dev.txt)
	@touch $@

demo: $(RUN)  ## Zoom, the service and a host product here; LINKING=host|none PORTS=8110,8010,8011,8210
	@exec $(BIN)/paraph demo --linking $(LINKING) $(if $(PORTS),--ports $(PORTS))

test: $(DEV)  ## the tests of every rule, in minutes; ARGS=... is passed on to pytest
	$(PYTEST) $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

verify: $(DEV)  ## the long proofs: every attack, kill loops, chaos, published clients; ARGS=...
	$(PYTEST) auto --dist worksteal -m "slow and not every_attack" $(ARGS)

faults: $(DEV)  ## kill the service at every step of install and deauthorization
	KILL_STRIDE=1 RACES=1000 $(BIN)/python -m pytest tests/faults $(ARGS)

interoperability: $(DEV)  ## published clients against the simulated Zoom
	$(BIN)/python -m pytest tests/interoperability $(ARGS)

crash: $(DEV)  ## kill -9 under load, compare the books; KILLS= INBOX=sqlite|postgresql|jetstream|cluster|restart|transaction|session|pooler
	PYTHONPATH=src:tests $(BIN)/python tests/faults/crash.py \
		--kills $(or $(KILLS),200) --inbox $(or $(INBOX),sqlite)

fuzz: $(DEV)  ## throw bytes at the verification of deliveries; SECONDS=
	PYTHONPATH=src:tests $(BIN)/python tests/faults/fuzz.py $(or $(SECONDS),600)

flood: $(DEV)  ## genuine deliveries under a flood of forged ones: answers, p99, memory; SECONDS=
	$(BIN)/python bench/flood.py $(or $(SECONDS),30)

steady: $(DEV)  ## 2 000 deliveries a second on PostgreSQL: how late they are answered; SECONDS=
	PYTHONPATH=src:tests $(BIN)/python bench/steady.py $(or $(SECONDS),60)

soak: $(DEV)  ## 400 events a second for an hour, with a graph; SECONDS= DATABASE=sqlite|postgresql GRAPH=file.svg
	PYTHONPATH=src:tests $(BIN)/python bench/soak.py --seconds $(or $(SECONDS),3600) \
		--database $(or $(DATABASE),sqlite) --graph $(or $(GRAPH),soak.svg)

memory: $(DEV)  ## the memory of a process beside 100 000 installations
	PYTHONPATH=src:tests $(BIN)/python bench/memory.py

chaos: $(DEV)  ## replicas, a crowd and everything that goes wrong; SEED= SECONDS= DATABASE=
	PYTHONPATH=src:tests $(BIN)/python tests/faults/chaos.py --seed $(or $(SEED),1) \
		--seconds $(or $(SECONDS),600) --database $(or $(DATABASE),postgresql)

stampede: $(DEV)  ## 1 000 tasks in 4 processes at one expiry, and how long the slowest waits
	PYTHONPATH=src:tests $(BIN)/python tests/faults/stampede.py $(ARGS)

endurance: $(DEV)  ## 10 000 authorizations and deliveries through one simulator
	ENDURANCE=10000 $(BIN)/python -m pytest tests/simulator/test_endurance.py $(ARGS)

fuzz-simulator: $(DEV)  ## 20 000 requests of any bytes to any endpoint of the simulator
	FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest tests/simulator/test_any_bytes.py $(ARGS)

lint: $(DEV)  ## style, types, import contracts and prose
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/prose.py

format: $(DEV)  ## fix style automatically where ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)  ## hot paths beside the ceiling, in one run
	PYTHONPATH=src:tests $(BIN)/python bench/run.py
	PYTHONPATH=src:tests $(BIN)/python bench/webhook.py
	PYTHONPATH=src:tests $(BIN)/python bench/token_vend.py
	PYTHONPATH=src:tests $(BIN)/python bench/scale.py
	PYTHONPATH=src:tests $(BIN)/python bench/paces.py
	PYTHONPATH=src:tests $(BIN)/python bench/forwarding.py
	PYTHONPATH=src:tests $(BIN)/python bench/steps.py
	PYTHONPATH=src:tests $(BIN)/python bench/inputs.py

docs: $(DEV)  ## write the generated pages again, and build the documentation site into site/
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: attack attack-examples matrix kits compare extras image

attack: $(DEV)  ## every case of `paraph check` against our own service; INBOX=sqlite|postgresql|jetstream ARGS=
	PYTHONPATH=src:tests $(BIN)/python -m end_to_end.attack --inbox $(or $(INBOX),sqlite) $(ARGS)

attack-examples: $(DEV)  ## every case of `paraph check` against each product of examples/; ARGS="-k flask"
	$(BIN)/python -m pytest -m every_attack -o faulthandler_timeout=3600 tests/examples $(ARGS)

kits: $(DEV)  ## every case against published OAuth kits; writes the table of docs/explanation/kits.md again
	PYTHONPATH=src:tests $(BIN)/python -m interoperability.kit_report

matrix: $(DEV)  ## test `paraph check` itself: every case on the reference and on its weakened twin
	$(BIN)/python docs/kill_matrix.py

compare: $(DEV)  ## the same requests to another checkout and to this one; OLD=path ARGS="--inbox sqlite"
	PYTHONPATH=src:tests $(BIN)/python -m project.compare $(OLD) $(ARGS)

image: $(DEV)  ## build deploy/Containerfile on a fresh Debian root and start it; root, debootstrap, buildah
	PYTHONPATH=src:tests $(BIN)/python tests/deploy/image.py

extras: $(DEV)  ## install each extra into an empty environment, and write the table of their sizes
	PYTHONPATH=src:tests:docs $(BIN)/python -m project.extras_table

requirements: $(BIN)/python  ## compile requirements/*.txt, with hashes, from pyproject.toml
	$(PIP) uv
	$(BIN)/uv pip compile $(COMPILE) $(RUN_EXTRAS) pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile $(COMPILE) --group build -o requirements/build.txt
	$(BIN)/uv pip compile $(COMPILE) --extra postgres --extra nats pyproject.toml -c requirements/run.txt -o requirements/deploy.txt
	$(BIN)/uv pip compile $(COMPILE) --all-extras pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile $(subst 3.11,3.12,$(COMPILE)) tests/examples/django_checked/django6.in -o tests/examples/django_checked/django6.txt
	$(BIN)/uv pip compile $(COMPILE) tests/interoperability/requirements.in -o tests/interoperability/requirements.txt
	$(BIN)/uv pip compile $(COMPILE) tests/interoperability/kits/requirements.in -o tests/interoperability/kits/requirements.txt

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) site .mypy_cache .ruff_cache .import_linter_cache .hypothesis
