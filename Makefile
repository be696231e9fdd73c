# Postern: everything a person types. `make` alone says what there is.
# Works as root, and as anybody with sudo; only the lines that need root take it.

# Recipes run in surroundings of their own: PATH, locale, umask and the like are not the caller's.
SHELL  := deploy/setup/shell
PYTHON := $(or $(POSTERN_VENV),.venv)/bin/python
PYTEST := $(PYTHON) -m pytest
ROOT   := deploy/setup/as-root
# The lab leaves no files of root's in the tree.
AS_LAB := $(ROOT) env PYTHONDONTWRITEBYTECODE=1
# Each half on a machine apart: networks, processes and Open vSwitch of its own.
LAB_TESTS := $(AS_LAB) tests/lab/run $(PYTEST) -p no:cacheprovider -m lab

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-test environment tools lock format lint fast check test cowrie-tests ovs-tests lab-tests fresh demo lab-down golden docs man bench bench-mail bench-pools bench-steering bench-decoy bench-antivirus clean

help: ## what there is (this list)
	@echo "Postern: steers tenants' mail through scanners, in Open vSwitch."; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo; echo "A first sitting: make demo KEEP=1, and then what it says."

setup: ## what Postern and its demo need: packages, virtual environments, Open vSwitch; instant when nothing is to do
	@deploy/setup/setup demo

setup-test: ## that, and what tests and benchmarks need
	@deploy/setup/setup test

environment:
	@deploy/setup/environment demo

tools:
	@deploy/setup/environment test

lock: ## pin all Python packages; UPGRADE=1 takes the newest releases (the only target that changes versions)
	@deploy/setup/lock $(if $(UPGRADE),--upgrade)

format: tools ## let ruff format the code
	@$(PYTHON) -m ruff format . && $(PYTHON) -m ruff check --fix .

lint: tools ## format, lint, types, direction of imports
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(dir $(PYTHON))lint-imports

fast: tools ## tests that need no root, no switch and no program: under a minute
	$(PYTEST) -m "not ovs and not lab and not cowrie and not peers and not programs"

check: lint fast ## lint and fast: under a minute, no root, no network

# All runs happen even if one fails, unless it was ended by a signal; any failure fails the target. The last line
# printed is pytest's own.
# The tests on a real switch meet nobody else's: they run beside those with other programs.
test: setup-test lint ## everything: check, the real switch, the lab (root)
	@code=0; \
	tests/at-once $(PYTEST) -m "not lab and not ovs" --and $(PYTEST) -p no:cacheprovider -m ovs || code=$$?; \
	[ $$code -lt 128 ] || exit $$code; \
	$(LAB_TESTS) || code=$$?; \
	exit $$code

cowrie-tests: setup-test ## only the tests with real Cowries (root, or user namespaces)
	$(PYTEST) -m cowrie

ovs-tests: setup-test ## only the tests on a real switch (no root)
	$(PYTEST) -m ovs

lab-tests: setup-test ## only the tests in the lab (root)
	$(LAB_TESTS)

fresh: ## pristine Debian 12 and 13 roots: the README's first command, then the fast tests (root)
	@$(ROOT) tests/fresh/fresh

demo: setup ## real mail through the edge; KEEP=1 leaves it up and says what to try
	@$(AS_LAB) $(PYTHON) -m lab.demo $(if $(KEEP),--keep)

lab-down: environment ## take down whatever lab is up
	@$(AS_LAB) $(dir $(PYTHON))postern lab down

golden: tools ## write the golden files anew; read their diff as code
	POSTERN_WRITE_GOLDEN=1 $(PYTEST) -p no:randomly -m "not lab" -k golden

docs: environment ## write the pages that are made from the code: the pipeline, the policy's schema, the commands
	$(PYTHON) -m cli.docs

man: tools ## write manual pages of all programs into build/man
	$(PYTHON) -m cli.manpages

bench: bench-steering bench-pools bench-mail bench-decoy bench-antivirus ## ours beside the peers, in one run; ratios, and JSON in build/benchmarks

bench-steering: setup-test ## the steering path beside plain L2 on the same switch (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.steering

bench-pools: setup-test ## spread over a pool, time to avoid a dead member, a dead trunk, a stopped controller (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.pools

bench-mail: setup-test ## the mail gateway beside Postfix smtpd_proxy_filter (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.mail

bench-decoy: setup-test ## decisions: API call to first packet at the decoy, import, what 100,000 cost (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.decoy

bench-antivirus: setup-test ## from a new signature to 100 clients and all scanners using it, its cost, a storm of 1,000 (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.antivirus

clean: ## remove what set-up and tests made (Debian packages stay)
	rm -rf .venv .venv-cowrie build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
