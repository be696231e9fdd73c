# Postern's commands for developers and operators. `make` alone lists them.
# Works as root, and for any user with sudo; only the steps that need root use it.

# Recipes run in an environment of their own: PATH, locale, umask and so on are not the caller's.
SHELL  := deploy/setup/shell
PYTHON := $(or $(POSTERN_VENV),.venv)/bin/python
PYTEST := $(PYTHON) -m pytest
ROOT   := deploy/setup/as-root
# The lab leaves no files owned by root in the tree.
AS_LAB := $(ROOT) env PYTHONDONTWRITEBYTECODE=1
# Each third runs apart, with networks, processes and an Open vSwitch of its own.
LAB_TESTS := $(AS_LAB) tests/lab/run $(PYTEST) -p no:cacheprovider -m lab
BY_ITSELF := "(peers or programs or proofs) and not ovs and not lab and not cowrie"
FAST := "not ovs and not lab and not cowrie and not peers and not programs and not proofs"
# The mail dialogue and SMTP's rules decide about every message: their tests must reach nearly all of them.
COVERED := --cov=services.mail.relay --cov=services.smtp --cov-branch --cov-fail-under=98 --cov-report=term-missing:skip-covered

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-test environment tools lock format lint fast check test cowrie-tests ovs-tests frames lab-tests fresh demo lab-down golden docs man bench bench-mail bench-pools bench-steering bench-decoy bench-antivirus bench-control-plane bench-proof clean

help: ## print this list
	@echo "Postern steers tenants' mail through scanners, in Open vSwitch."; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo; echo "To begin, run: make demo KEEP=1"

setup: ## install what Postern and its demo need: packages, virtual environments, Open vSwitch
	@deploy/setup/setup demo

setup-test: ## setup, and install what tests and benchmarks need
	@deploy/setup/setup test

environment:
	@deploy/setup/environment demo

tools:
	@deploy/setup/environment test

lock: ## pin all Python packages; UPGRADE=1 takes the newest releases (only this changes versions)
	@deploy/setup/lock $(if $(UPGRADE),--upgrade)

format: tools ## format the code with ruff
	@$(PYTHON) -m ruff format . && $(PYTHON) -m ruff check --fix .

lint: tools ## check format, lint, types and imports
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(dir $(PYTHON))lint-imports

fast: tools ## run the tests that need no root, no switch and no program: under a minute
	POSTERN_TESTS=quick tests/at-once $(PYTEST) -n 2 -m $(FAST) --ignore tests/mail \
	--and $(PYTEST) -m $(FAST) tests/mail $(COVERED)

check: tools ## lint and fast: under a minute, no root, no network
	@tests/at-once $(MAKE) --no-print-directory fast --and $(MAKE) --no-print-directory lint

# All runs happen even if one fails, unless a signal ended it; any failure fails the target. The last line printed
# is pytest's own.
# Tests on a real switch, with real Cowries and with other programs have addresses and switches of their own, so they
# run beside each other. Many of them wait, so there are more runs than cores.
test: setup-test lint ## run all tests: check, the real switch, the lab (root)
	@code=0; \
	tests/at-once tests/share 2 $(PYTEST) -p no:cacheprovider -m $(FAST) \
	--and $(PYTEST) -p no:cacheprovider -m $(BY_ITSELF) \
	--and tests/share 2 $(PYTEST) -p no:cacheprovider -m "ovs and not lab" \
	--and $(PYTEST) -p no:cacheprovider -m "cowrie and not lab" || code=$$?; \
	[ $$code -lt 128 ] || exit $$code; \
	$(LAB_TESTS) || code=$$?; \
	exit $$code

cowrie-tests: setup-test ## run only the tests with real Cowries (root, or user namespaces)
	$(PYTEST) -m cowrie

ovs-tests: setup-test ## run only the tests on a real switch (no root)
	tests/share 3 $(PYTEST) -p no:cacheprovider -m ovs

frames: setup-test ## compare the proof with random frames and faults on real switches; POSTERN_FRAMES, POSTERN_FAULTS, POSTERN_FRAMES_SEED (no root)
	$(PYTEST) -s -p no:cacheprovider tests/ovs/test_random_frames.py tests/ovs/test_faults.py

lab-tests: setup-test ## run only the tests in the lab (root)
	$(LAB_TESTS)

fresh: ## on pristine Debian 12 and 13: the README's first commands, then the fast tests (root)
	@$(ROOT) tests/fresh/fresh

demo: setup ## send real mail through the edge; KEEP=1 leaves it up and prints what to try
	@$(AS_LAB) $(PYTHON) -m lab.demo $(if $(KEEP),--keep)

lab-down: environment ## take the lab down
	@$(AS_LAB) $(dir $(PYTHON))postern lab down

golden: tools ## write the golden files again; review their diff like code
	POSTERN_WRITE_GOLDEN=1 $(PYTEST) -p no:randomly -m "not lab" -k golden

docs: environment ## write the pages that are made from the code: references, schemas, pipeline, events, commands
	$(PYTHON) -m cli.docs

man: tools ## write manual pages of all programs into build/man
	$(PYTHON) -m cli.manpages

bench: bench-steering bench-pools bench-mail bench-decoy bench-antivirus bench-control-plane bench-proof ## compare Postern with its peers, in one run; ratios, and JSON in build/benchmarks

bench-steering: setup-test ## compare the steering path with plain L2 on the same switch (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.steering

bench-pools: setup-test ## measure the spread over a pool, the time to avoid a dead member, a dead trunk, a stopped controller (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.pools

bench-mail: setup-test ## compare the mail gateway with Postfix smtpd_proxy_filter (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.mail

bench-decoy: setup-test ## measure decisions: API call to first packet at the decoy, import, the cost of 100,000 (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.decoy

bench-antivirus: setup-test ## measure the time until 100 clients and all scanners use a new signature, its cost, 1,000 clients at once (root)
	@$(AS_LAB) $(PYTHON) -m benchmarks.antivirus

bench-proof: setup-test ## measure the time of proofs, the cost of watching 100,000 flows, and how soon a change by hand is put right
	@$(PYTHON) -m benchmarks.proof

bench-control-plane: setup-test ## measure an edit, a restart and a decision among 1,000 tenants (BEFORE=DIR: against another checkout)
	@$(PYTHON) -m benchmarks.control_plane $(if $(BEFORE),--before $(BEFORE))

clean: ## remove what set-up and tests created (Debian packages stay)
	rm -rf .venv .venv-cowrie build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -prune -exec rm -rf {} +
