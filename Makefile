# Humans and CI call the same targets; 'make' alone lists them.
# Also in a folder that others may write, where Ansible passes over the file.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV ?= .venv
SCENARIO ?= default
# Of tests/benchmarks: scale, replication, site, load, jobs, inventory, vhosts, handshakes, domains, idle, wake, upgrade, edge, neighbours, only.
BENCH ?= scale
# What check runs of the tests in Python: unit, or the same measured.
UNIT ?= unit
# Percent of lines and branches of plugins/ that unit tests reach.
FLOOR := 90
READY := $(VENV)/.ready
# With all that contributors need and no more; where there is $(VENV), that has it as well.
CHECK_VENV := build/check-venv
CHECKER := $(if $(wildcard $(READY)),$(READY),$(CHECK_VENV)/.ready)
export PATH := $(abspath $(VENV))/bin:$(PATH)
export PYTHONPATH := $(CURDIR)
# What contributors read is in French too: the terminal's language, as gettext finds it.
TONGUE := $(firstword $(LANGUAGE) $(LC_ALL) $(LC_MESSAGES) $(LANG))
said = $(if $(filter fr%,$(TONGUE)),$(2),$(1))

# The collection is checked under the name it is imported by; the links lead to this tree.
COLLECTION := collections/ansible_collections/archipel/spaces
PYTHON_TREES := tools tests molecule
# Each has a node of its own and takes some minutes.
OTHERS := lifecycle intake office database acme attacks cluster recover replica upgrade onlyoffice quota real
PLAYBOOKS := $(wildcard playbooks/*.yml)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Running it

.PHONY: demo
demo: host venv ## Make a node on this host with eight associations in it, and say what to click and who can log in
	@python -m tools.demo up

.PHONY: demo-password
demo-password: venv ## New passwords for the accounts of the demo
	@python -m tools.demo password

.PHONY: demo-tour
demo-tour: venv ## Pictures of the demo in both languages, with a real browser: build/tour, or make demo-tour TO=docs/images/tour
	@tools/host-packages chromium
	@python -m tools.demo tour $(or $(TO),build/tour)

.PHONY: demo-clean
demo-clean: ## Remove that node and everything it left
	@python3 -m tools.demo clean

##### Registering associations

.PHONY: space
space: $(CHECKER) ## Ask what a new space needs, and write its file: ENV=demo; ARGS says what is not to be asked
	@$(<D)/bin/python -m tools.space $(ENV) $(ARGS)

.PHONY: check-registry
check-registry: $(CHECKER) ## Whether the files of associations are right, in seconds: ENV=demo, or all environments
	@$(<D)/bin/python -m tools.check_registry $(ENV)

$(CHECK_VENV)/.ready: requirements-check.txt requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || tools/host-packages python3-venv
	@echo "$(call said,Installing what it takes to check a registry into,Installation de ce qu’il faut pour vérifier un registre dans) $(CHECK_VENV)"
	@python3 -m venv $(CHECK_VENV)
	@$(CHECK_VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --requirement requirements-check.txt
	@touch $@

##### Testing it

.PHONY: test
test: check ## Everything: check, then the scenarios default and bookworm on real nodes
	@$(MAKE) molecule SCENARIO="default bookworm"

.PHONY: scenarios
scenarios: ## Those scenarios that are not part of test: lives, attacks, upgrades, office suites, limits, real releases
	@$(MAKE) molecule SCENARIO="$(OTHERS)"

.PHONY: scenario-names
scenario-names:
	@echo $(OTHERS)

.PHONY: check
check: lint licences types $(UNIT) french php syntax docs artefact ## Everything that needs no node (some minutes)

.PHONY: molecule
molecule: host venv ## Run scenarios on nodes of their own: make molecule SCENARIO=bookworm
	@$(if $(filter quota,$(SCENARIO)),tools/host-packages --virtual)
	@$(if $(filter intake real,$(SCENARIO)),tools/host-packages chromium)
	@rm -rf $(SCENARIO:%=build/molecule/%/nextcloud)
	@scenarios=$$(python -m tests.support.real scenarios $(SCENARIO)); \
	for scenario in $$scenarios; do \
		ANSIBLE_FORCE_COLOR=0 molecule test --no-command-borders --scenario-name "$$scenario" </dev/null; \
	done; \
	echo "Nextcloud in these runs:"; \
	for scenario in $$scenarios; do \
		printf '  %-10s %s\n' "$$scenario" "$$(cat build/molecule/$$scenario/nextcloud)"; \
	done

.PHONY: real-nodes
real-nodes: host venv ## A real Nextcloud of artifacts/ on the machines of the scenario cluster: move, wrong logins, database away
	@for step in destroy create; do ANSIBLE_FORCE_COLOR=0 molecule $$step --scenario-name cluster </dev/null; done
	@python -m tests.support.real alone cluster
	@ANSIBLE_FORCE_COLOR=0 molecule converge --scenario-name cluster </dev/null
	python -m pytest molecule/cluster/real </dev/null
	@ANSIBLE_FORCE_COLOR=0 molecule destroy --scenario-name cluster </dev/null

.PHONY: coverage
coverage: venv ## Lines and branches of plugins that unit tests reach, processes included; FLOOR is held
	@rm -rf build/coverage && mkdir -p build/coverage
	coverage run -m pytest --quiet --numprocesses auto tests/unit tests/render tests/policy </dev/null
	@coverage combine --quiet
	@coverage report --fail-under=$(FLOOR)

FUZZ_EXAMPLES ?= 5000
.PHONY: fuzz
fuzz: venv ## What strangers could write, at random and for long: FUZZ_EXAMPLES=20000; FUZZ_SEED=7 repeats a run
	@tools/host-packages php-cli php-mbstring php-psr-log php-symfony-console php-xml phpunit
	@seed=$(or $(FUZZ_SEED),$$RANDOM$$RANDOM); \
	echo "Repeat this with: make fuzz FUZZ_SEED=$$seed FUZZ_EXAMPLES=$(FUZZ_EXAMPLES)"; \
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) python -m pytest --numprocesses auto --hypothesis-profile long \
		--hypothesis-seed "$$seed" tests/fuzz </dev/null

.PHONY: sanity
sanity: venv ## What ansible-test's sanity finds in the collection as it is published (PyPI is needed)
	@tools/check-sanity build/sanity

.PHONY: environment
environment: venv ## The execution environment as far as it can be tried without an image (PyPI is needed)
	@tools/check-environment build/environment

.PHONY: bench
bench: host venv ## Print what runs cost beside the usual way (QUICK=1: few spaces; BENCH=idle: another benchmark)
	@$(if $(filter neighbours,$(BENCH)),tools/host-packages --virtual)
	@for name in $(BENCH); do python "tests/benchmarks/bench_$$name.py" $(if $(QUICK),--quick) || exit 1; done

##### Keeping it up to date

.PHONY: changelog
changelog: venv ## What the next version will say: build/changelog/CHANGELOG.md
	@tools/changelog build/changelog

.PHONY: messages
messages: venv ## Write the catalogues of what people read, and name what is not translated yet
	@python -m tools.messages

.PHONY: catalogue
catalogue: venv ## Propose a newer patch level and applications for a release as a diff: make catalogue RELEASE=34.0.4
	@python -m tools.catalogue $(if $(RELEASE),--release $(RELEASE)) $(if $(FEED),--feed $(FEED)) $(if $(SERVERS),--servers $(SERVERS))

##### Parts of check

.PHONY: lint
lint: venv ## YAML, Ansible and Python style
	yamllint --strict .
	ansible-lint --offline
	ruff check .
	ruff format --check .

.PHONY: licences
licences: venv ## Whose each file is, as reuse.software has it
	@reuse lint --quiet || reuse lint

.PHONY: types
types: venv ## Python types
	mypy $(COLLECTION)/plugins $(PYTHON_TREES)

.PHONY: unit
unit: venv ## Unit, render and policy tests
	python -m pytest --numprocesses auto tests/unit tests/render tests/policy tests/fuzz/registry </dev/null

.PHONY: french
french: venv ## Spelling of all French texts; how they are typeset is a matter of unit
	@tools/host-packages hunspell hunspell-fr-classical
	@python -m tools.french

.PHONY: php
php: venv ## PHP of the application: syntax, PHPUnit, any document for it, Nextcloud's coding standard
	@tools/host-packages php-cli php-mbstring php-psr-log php-symfony-console php-xml phpunit
	@tools/check-php

.PHONY: php-stubs
php-stubs: ## Compare what PHP tests take for Nextcloud with a release: make php-stubs TREE=/srv/nextcloud/releases/33.0.3
	php tests/php/agree.php "$(TREE)"

.PHONY: syntax
syntax: venv ## Syntax of every playbook
	ansible-playbook --syntax-check -i inventories/demo $(PLAYBOOKS)

.PHONY: docs
docs: venv ## Documentation of roles and plugins, the changelog, and the documents as a site: build/site/index.html
	antsibull-docs lint-collection-docs --plugin-docs .
	antsibull-changelog lint
	python -m tools.site build/site

.PHONY: artefact
artefact: venv ## Build the collection, install it elsewhere, read its documentation there
	tools/check-artefact build/artefact

##### Housekeeping

.PHONY: host
host: ## Install the Debian packages that machines are made with (as root)
	@tools/host-packages

.PHONY: venv
venv: $(READY) ## Make .venv with everything Python that is needed

$(READY): requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || tools/host-packages python3-venv
	@echo "Installing the Python packages of requirements.txt into $(VENV)"
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.PHONY: clean
clean: ## Remove what the targets made, machines and images too
	@for scenario in $(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml))); do \
		python3 -m tools.lab down "archipel-$$scenario" --state "build/lab/archipel-$$scenario" \
			$$([ "$$scenario" != quota ] || echo --virtual); \
	done
	@for machine in acme-second attacks-second cluster-edge2 cluster-web1 cluster-web2 cluster-web3 cluster-db1 database-db \
		recover-second recover-edge replica-db1 replica-db2; do \
		python3 -m tools.lab down "archipel-$$machine" --state "build/lab/archipel-$$machine"; \
	done
	@$(MAKE) demo-clean
	@python3 -m tools.lab clean
	@rm -rf build .mypy_cache .pytest_cache .ruff_cache $(VENV)
