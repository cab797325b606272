# Every target does its own set-up: `make test` on a bare Debian 12 or Ubuntu is enough.
#
#   make test TESTS=tests/unit PYTEST_ARGS='-k "rename and not link" -x' JOBS=1

export PYTHON      ?= /usr/bin/python3
export TESTS       ?= tests
export PYTEST_ARGS ?=
export JOBS        ?= 2
export SUITES      ?=

# Root's runs share one directory and one test user on this machine (scripts/places.sh): one at a time.
exclusive := $(if $(filter 0,$(shell id -u)),flock --close /run/venvjail-dev.lock)

.PHONY: help setup lint test soak coverage mutate suites demo drill bench debian13 clean

help:
	@echo 'make setup   system packages, a venv, venvjail and its tools installed in it'
	@echo 'make test    lint, then all tests, as an ordinary user; TESTS= PYTEST_ARGS= JOBS='
	@echo 'make lint    ruff, mypy, shellcheck'
	@echo 'make soak    long loops, a quarter of an hour; SOAK_STEPS= VENVJAIL_MODEL_SEED='
	@echo 'make coverage  which branches the tests take, in child processes too; fails below 95 %'
	@echo 'make mutate  faults put into the policy, each of which a test must find'
	@echo 'make suites  what others wrote, run plain and in the jail: the difference; SUITES="git test_os"'
	@echo 'make demo    a jailed venv shown at work, every claim checked'
	@echo 'make drill   malware installed in a plain venv and in a jailed one: what it got'
	@echo 'make bench   what a jail costs, beside other sandboxes; writes docs/performance.md; QUICK=1'
	@echo 'make debian13 make test, in a Debian 13 of its own (root only)'
	@echo 'make clean   remove what the targets above made, the test user included'

setup:
	@$(exclusive) scripts/setup

lint:
	@$(exclusive) scripts/lint

test:
	@$(exclusive) scripts/test

soak:
	@$(exclusive) scripts/soak

coverage:
	@$(exclusive) scripts/coverage

mutate:
	@$(exclusive) scripts/mutate

suites:
	@$(exclusive) scripts/suites

demo:
	@$(exclusive) scripts/demo

drill:
	@$(exclusive) scripts/drill

bench:
	@$(exclusive) scripts/bench

debian13:
	@$(exclusive) scripts/debian13

clean:
	@$(exclusive) scripts/clean
