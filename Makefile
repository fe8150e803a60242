# daper: `make demo` shows one repair, `make test` tests it. Both set up what they need.

PYTHON ?= python3
ARGS ?=
SYNC = sync --frozen --quiet --extra embedded --extra mcp --extra console --extra pdf --extra postgresql --extra mysql --extra declared --python "$(PYTHON)"
UV = $$(command -v uv || echo .uv/bin/uv)
CLIENTS = tests/clients/node_modules/.package-lock.json
CHATS = tests/clients/chats/node_modules/.package-lock.json
BENCHES = start_up one_repair throughput workers stores detection large_cycle worker_memory mcp_story concurrency slow_model hostile_model tokens at_the_cap console record_pages declared imports shown_repairs stuck stuck_repairs

.PHONY: browser mariadb pgbouncer help demo test test-long test-llm check lint histories install install-domain install-dev node-clients chat-clients faults bench figures pictures conversation tool-tokens clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: install ## one repair from end to end on a throw-away copy; ARGS=--auto-approve does not ask
	@.venv/bin/daper demo $(ARGS) || [ $$? -eq 3 ]  # 3: it ended, and leaves something to a person

# The sandbox imports workflows anew for each run: without bytecode it would compile them anew, also where
# PYTHONDONTWRITEBYTECODE is set.
# Tests themselves are kept compiled too, whatever is set: each of the processes would rewrite all of them.
test test-long: export PYTHONDONTWRITEBYTECODE =

# Three processes for two cores: a third of their time they wait for servers and for other processes.
test: install-dev node-clients browser mariadb ## every test but those that are long by nature; ARGS goes to pytest
	@.venv/bin/python -m compileall -q src
	.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

test-long: install-dev node-clients chat-clients browser mariadb pgbouncer ## the tests that are long by nature: kills, faults that last, servers elsewhere
	@.venv/bin/python -m compileall -q src
	.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder -m long $(ARGS)

check: lint test test-long ## everything CI runs

lint: install-dev ## format check, ruff, pyright, import-linter, temporalint
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright
	.venv/bin/lint-imports
	.venv/bin/temporalint src

test-llm: install-dev ## one cycle with a real language model: LLM_MODEL, LLM_BASE_URL, LLM_KEY; else one at 127.0.0.1:7700
	.venv/bin/pytest -n 0 -q -s --timeout 3600 $(ARGS) tests/real_model/check_real_model.py

faults: install-dev ## the long runs: 300 faults at once among repairs, 20 kills of workers, 10 kills of `daper up`, 100 cycles beside an attacking model, every injection, 200 of one fault, 50 decided ones
	.venv/bin/python -m tests.faults.chaos_harness --faults 100 --repairs 30 --seed 11 12 13
	.venv/bin/python -m tests.faults.kill_harness --kills 20 --repairs 10 $(ARGS)
	.venv/bin/python -m tests.faults.kill_harness --kills 20 --repairs 10 --domain "payments in sqlite" $(ARGS)
	.venv/bin/python -m tests.faults.kill_harness --kills 20 --repairs 10 --domain "payments in postgresql" $(ARGS)
	.venv/bin/python -m tests.faults.kill_harness --kills 20 --repairs 10 --domain "payments in mariadb" $(ARGS)
	.venv/bin/python -m tests.faults.up_harness --kills 10 --repairs 4 $(ARGS)
	.venv/bin/python -m tests.faults.database_harness --seconds 60 $(ARGS)
	.venv/bin/python -m tests.faults.database_harness --seconds 60 --kind sqlite $(ARGS)
	.venv/bin/python -m tests.faults.database_harness --seconds 60 --kind "declared in postgresql" $(ARGS)
	.venv/bin/python -m tests.faults.database_harness --seconds 60 --kind "declared in sqlite" $(ARGS)
	.venv/bin/python -m tests.faults.database_harness --seconds 60 --kind "declared in mariadb" $(ARGS)
	DAPER_TEST_CYCLES=100 .venv/bin/pytest -n 0 -q --timeout 1200 tests/llm/test_acting_alone.py
	DAPER_TEST_INJECTIONS_EVERY=1 .venv/bin/pytest -n 0 -q --timeout 1200 tests/llm/test_injections.py tests/llm/test_injections_together.py
	DAPER_TEST_CYCLES=200 .venv/bin/pytest -n 0 -q --timeout 1200 tests/workflow/test_persistent_faults.py
	DAPER_TEST_REPORTS=1000 .venv/bin/pytest -n 0 -q --timeout 1800 tests/workflow/test_event_driven.py -k many_reports
	DAPER_TEST_CYCLES=50 .venv/bin/pytest -n 0 -q --timeout 1200 tests/workflow/test_proactive_long.py

histories: install-dev ## record the replay histories anew (only before the first release)
	.venv/bin/python -m tests.replay.record

bench: install-dev ## the figures of docs/performance.md, each beside its bare limit; ARGS=--quick shows that they run
	@.venv/bin/python -m compileall -q src tests bench
	@for each in $(BENCHES); do echo; .venv/bin/python -m bench.$$each $(ARGS) || exit 1; done

figures: install-dev ## the figures in docs/performance.md, of whole runs; on a machine that does nothing else
	@.venv/bin/python -m compileall -q src tests bench
	@.venv/bin/python -m tools.performance $(BENCHES)

pictures: install-dev node-clients chat-clients browser ## the pictures in the docs, each of a real run; needs pdftoppm
	.venv/bin/python -m tools.pictures
	.venv/bin/python -m tools.form_pictures
	.venv/bin/python -m tools.console_pictures

tool-tokens: install-dev ## what the tools cost a language model, in docs/mcp.md; fetches a tokenizer of 42 MB
	@$(UV) run --frozen --no-sync --with bpe-openai==0.1.4 python -m tools.tool_tokens

conversation: install-dev ## the conversation in docs/mcp-conversation.md, of a real run
	.venv/bin/python -m tools.mcp_conversation

install: .python-checked
	@$(UV) $(SYNC) --no-dev --inexact

install-domain: install ## somebody's domain beside daper, from a folder with its pyproject.toml; DOMAIN=../daper-desk
	@[ -n "$(DOMAIN)" ] || { echo "say which folder: make install-domain DOMAIN=../daper-desk"; exit 2; }
	@$(UV) pip install --quiet --python .venv/bin/python --editable "$(DOMAIN)"

install-dev: .python-checked
	@$(UV) $(SYNC) --extra llm

browser: ## Chromium, for the tests of the console; from Debian where there is none
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  { echo "the console is tested in Chromium: install it (Debian and Ubuntu: apt install chromium)"; exit 1; }

mariadb: ## the server of MariaDB, for the tests of somebody's own database; from Debian where there is none
	@PATH="$$PATH:/usr/sbin" command -v mariadbd >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends mariadb-server-core >/dev/null; } || \
	  { echo "declared domains are tested in MariaDB: install it (Debian and Ubuntu: apt install mariadb-server)"; exit 1; }

pgbouncer: ## a pooler before PostgreSQL, for the long tests; from Debian where there is none
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends pgbouncer >/dev/null; } || \
	  { echo "PostgreSQL is tested behind PgBouncer: install it (Debian and Ubuntu: apt install pgbouncer)"; exit 1; }

node-clients: $(CLIENTS) ## other people's MCP clients, for the tests

chat-clients: $(CHATS) ## other people's chat clients, 1.1 GB, for the long tests

# npm writes this file last. Node and npm are a wheel in .venv: pyright asks for it.
$(CLIENTS): tests/clients/package-lock.json | install-dev
	@.venv/bin/python -m tests.clients.install
	@touch $@

$(CHATS): tests/clients/chats/package-lock.json | install-dev
	@.venv/bin/python -m tests.clients.install chats
	@touch $@

# uv if it is there; else pip puts it into a folder of its own.
.python-checked:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "daper needs python3 3.11 or newer, and $(PYTHON) is not: install it (Debian: apt install python3) or say make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "python3 has no venv module: install it (Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@command -v uv >/dev/null 2>&1 || [ -x .uv/bin/uv ] || \
	  { echo "setting up: uv, into .uv"; "$(PYTHON)" -m venv .uv && .uv/bin/python -m pip install --quiet uv; }

clean: ## remove what was set up
	rm -rf .venv .uv tests/clients/node_modules tests/clients/chats/node_modules
