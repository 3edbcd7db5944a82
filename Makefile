# One word each. `make help` lists them; CONTRIBUTING.md says more.
PYTHON  ?= python3
RUN      = .venv/bin
DATA    ?= ../shared/data
COMPILE  = $(PYTHON) -m scripts.installer pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_FLAGS) pyproject.toml
# Tests start many processes: each would compile all that it imports anew if it might not keep what it compiled. Threads of linear
# algebra that share the processors with other workers wait for each other most of the time: one takes less than half of two.
# Files run in the order of tests/order.py.
PYTEST   = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --durations 30

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-floors check serve bench bench-reliability bench-quality lock sbom clean environment-demo environment-dev system-programs

help:  ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*  ## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  %-16s %s\n' "$$name" "$$text"; done

demo: environment-demo  ## the whole path on the example data: import, features, training, service, decisions
	$(RUN)/dirigent demo

test: environment-dev system-programs  ## every test but the long ones
	$(PYTEST) -m "not long"

test-long: environment-dev system-programs  ## the long tests alone
	$(PYTEST) -m long

test-floors: environment-dev  ## that the oldest versions pyproject.toml allows fit together and serve (asks the index)
	$(RUN)/python -m pytest tests/e2e/test_floors.py

check: environment-dev  ## lint, format, types, import direction
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

serve: environment-demo  ## the decision service on 127.0.0.1, its clock where the example data ends
	$(RUN)/dirigent serve --example

bench: environment-dev  ## speed and decision quality; each benchmark prints a table
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(RUN)/python "$$file" || exit 1; done

bench-reliability: environment-dev system-programs  ## races, kills, faults and hostile requests at full length: about two hours
	@failed=""; for run in "race --store sqlite" "race --store postgresql" "race --broken --attempts 50000" \
	  "race_http --store sqlite" "race_http --store postgresql" "withdraw --store sqlite" "withdraw --store postgresql" \
	  "crash --store postgresql" "faults" "overhead --store sqlite" "overhead --store postgresql" "hostile" "schema" "outbox"; do \
	  echo "== $$run"; $(RUN)/python -m benchmarks.reliability.$$run || failed="$$failed [$$run]"; \
	done; test -z "$$failed" || { echo "did not hold:$$failed"; exit 1; }

bench-quality: environment-dev  ## every table of docs/quality.md: hours; DATA names the folder of the public data sets
	@failed=""; for run in coverage "hillstrom --data $(DATA)" "cdnow --data $(DATA)" complete_journey "redemption --all" "base_rates --data $(DATA)" \
	  effects_rows send_time_control simulator "simulator --quick --sweep" training_speed; do \
	  echo "== $$run"; $(RUN)/python -m benchmarks.quality.$$run || failed="$$failed [$$run]"; \
	done; \
	if [ -x .peers/bin/python ]; then $(RUN)/python -m benchmarks.quality.estimators --peer .peers/bin/python || failed="$$failed [estimators]"; \
	else echo "== estimators: skipped, it needs .peers (see benchmarks/quality/estimators.py)"; fi; \
	if [ -x .peers-uplift/bin/python ]; then \
	  $(RUN)/python -m benchmarks.quality.peers --peer .peers-uplift/bin/python --data $(DATA) || failed="$$failed [peers]"; \
	  DIRIGENT_PEER_PYTHON=.peers-uplift/bin/python $(RUN)/python -m benchmarks.quality.simulator \
	    --beside benchmarks.quality.vowpal:VowpalWabbit --only VowpalWabbit || failed="$$failed [vowpal]"; \
	else echo "== peers and vowpal: skipped, they need .peers-uplift (see benchmarks/quality/peers.py)"; fi; \
	test -z "$$failed" || { echo "did not hold:$$failed"; exit 1; }

lock: environment-dev  ## write requirements/*.lock anew; LOCK_FLAGS=--upgrade takes the newest versions
	$(COMPILE) --extra serving --extra training --extra notebooks --extra scale --extra kafka --extra dev -o requirements/dev.lock
	$(COMPILE) --extra serving --extra training -c requirements/dev.lock -o requirements/demo.lock
	$(COMPILE) --extra serving --extra scale --extra kafka -c requirements/dev.lock -o requirements/serving.lock

sbom:  ## dist/sbom.cdx.json: what the image installs, as a bill of materials (CycloneDX)
	@$(PYTHON) -m scripts.sbom requirements/serving.lock dist/sbom.cdx.json

clean:  ## remove the environment and every cache, but never the data in .dirigent
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment-demo environment-dev: environment-%:
	@$(PYTHON) -m scripts.environment $*

system-programs:
	@scripts/system_programs.sh
