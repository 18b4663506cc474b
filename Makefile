# make demo   hear the shipped model at work        make test   check everything
# Both make their own environment. `make demo ARGS=--fast` does not wait for the audio's pace.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$p; break; }; done)
DEVICE := .venv/device
DEV := .venv/dev

.PHONY: demo test lint clean
demo: $(DEVICE)/ready
	$(DEVICE)/bin/wakeword demo $(ARGS)

test: lint
	sh tests/system-packages.sh
	$(DEV)/bin/python -m pytest $(ARGS)

lint: $(DEV)/ready
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy

$(DEVICE)/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.10 to 3.13 is needed: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(DEVICE) || { echo "To make environments: sudo apt install python3-venv"; exit 1; }
	$(DEVICE)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV)/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.10 to 3.13 is needed: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(DEV) || { echo "To make environments: sudo apt install python3-venv"; exit 1; }
	$(DEV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist
