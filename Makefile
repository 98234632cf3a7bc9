# The two a newcomer needs: `make run` and `make test`. `make help` lists the rest.

SWIFT ?= swift
PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
PYTEST = .venv/bin/python -m pytest Tests/EndToEnd
PYTEST_DEPLOY = .venv-deploy/bin/python -m pytest Tests/Deploy
RIG = .build-bench/release
SEEDS ?= 10000
FIRST_SEED ?= 1
# Calls into a static standard library go straight, and exclusivity, which the debug build of the tests checks at run
# time, is not checked again (docs/performance.md).
RELEASE_FLAGS = --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked

.DEFAULT_GOAL := help
.PHONY: help build run test checks example e2e pictures test-engines test-bench-peers bench-serve bench-dashboard \
	bench-extproc bench-picker bench-scrape bench-flow bench-metrics check-allocations simulate simulate-overload soak \
	soak-extproc fuzz-extproc docs doc golden deploy test-deploy test-docs format clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## release build of martlet
	$(SWIFT) build -c release --product martlet $(RELEASE_FLAGS) -j $(JOBS)

run: build ## release build, then a gateway over three simulated model servers
	.build/release/martlet serve --simulate 3

test: ## everything CI runs
	scripts/check.sh

checks: ## the house rules and the formatting, without a build
	scripts/check-house-rules
	scripts/check-imports
	$(PYTHON) -m unittest discover --start-directory scripts/tests
	scripts/check-docs
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Benchmarks Examples Package.swift

.venv/installed: Tests/EndToEnd/requirements.txt Tests/EndToEnd/requirements-opentelemetry.txt scripts/make-venv
	scripts/make-venv .venv Tests/EndToEnd/requirements.txt Tests/EndToEnd/requirements-opentelemetry.txt
	touch $@

e2e: .venv/installed ## the end-to-end tests, on a debug build
	scripts/find-tool curl curl >/dev/null
	scripts/find-tool openssl openssl >/dev/null
	$(SWIFT) build --product martlet -j $(JOBS)
	$(SWIFT) build --product scripted-kubernetes-api -j $(JOBS)
	$(PYTEST) --browser "$$(scripts/find-browser)" $(PYTEST_ARGUMENTS)

pictures: .venv/installed ## make the pictures of the dashboard in docs/images anew: five minutes under load
	$(SWIFT) build --product martlet -j $(JOBS)
	$(PYTEST)/test_dashboard.py -k pictures --update-pictures --browser "$$(scripts/find-browser)"

example: ## the package of plugins in Examples: its tests, and its gateway
	scripts/check-example --gateway

.venv-engines/installed: Tests/Engines/requirements.txt Tests/Engines/torch.txt scripts/make-engines-venv \
		scripts/make-venv
	scripts/make-engines-venv .venv-engines
	touch $@

test-engines: .venv/installed .venv-engines/installed ## real vLLM and llama.cpp on the CPU; needs Python 3.11 and 4 GB of disk
	$(SWIFT) build --product martlet -j $(JOBS)
	.venv/bin/python -m pytest Tests/Engines $(PYTEST_ARGUMENTS)

.venv-deploy/installed: Tests/Deploy/requirements.txt scripts/make-venv
	scripts/make-venv .venv-deploy Tests/Deploy/requirements.txt
	touch $@

deploy: .venv-deploy/installed ## write what is made from other files in deploy/ anew: definitions, install files
	$(SWIFT) build --product martlet -j $(JOBS)
	scripts/write-deploy

test-deploy: .venv-deploy/installed ## the files in deploy/: schemas, rules in CEL, kustomize, Helm, Envoy, the Dockerfile
	$(SWIFT) build --product martlet -j $(JOBS)
	$(PYTEST_DEPLOY) --promtool "$$(scripts/find-tool promtool prometheus)" $(PYTEST_ARGUMENTS)

test-docs: .venv/installed .venv-deploy/installed ## commands, flags and reasons of the documentation
	scripts/find-tool curl curl >/dev/null
	$(SWIFT) build --product martlet -j $(JOBS)
	.venv-deploy/bin/python -m pytest Tests/Docs $(PYTEST_ARGUMENTS)

soak: build .venv/installed ## a thousand idle connections and 500 streams for a minute
	$(PYTEST)/test_soak.py --martlet .build/release/martlet --soak-seconds 60 $(PYTEST_ARGUMENTS)

soak-extproc: build .venv/installed ## 2,000 ext_proc streams at once, and 100,000 requests through Envoy
	$(PYTEST)/test_extproc_soak.py --martlet .build/release/martlet --soak-streams 2000 --soak-requests 100000 \
		$(PYTEST_ARGUMENTS)

fuzz-extproc: ## messages of ext_proc in any order for ten minutes
	MARTLET_FUZZ_SECONDS=600 $(SWIFT) test --filter MessageOrderFuzzTests -j $(JOBS)

bench-serve: build ## CPU per request beside nginx; fails over budget
	$(SWIFT) build -c release --package-path Benchmarks --scratch-path .build-bench -j $(JOBS)
	$(PYTHON) Benchmarks/serve/run.py --tools $(RIG) $(BENCH_ARGUMENTS)

bench-dashboard: build ## what a reader of the dashboard's live feed costs; fails over budget
	$(SWIFT) build -c release --package-path Benchmarks --scratch-path .build-bench -j $(JOBS)
	$(PYTHON) Benchmarks/serve/run.py --dashboard --tools $(RIG) $(BENCH_ARGUMENTS)
	$(PYTHON) Benchmarks/serve/feed.py

bench-extproc: build .venv/installed ## CPU per request of the endpoint picker beside Envoy's; fails over budget
	$(SWIFT) build -c release --package-path Benchmarks --scratch-path .build-bench -j $(JOBS)
	.venv/bin/python Benchmarks/extproc/run.py --tools $(RIG) $(BENCH_ARGUMENTS)

bench-picker: ## CPU and allocations of single decisions, up to 1,000 endpoints and 400 kB; fails over budget
	MARTLET_BENCHMARKS=1 $(SWIFT) build -c release --product PickerBenchmark $(RELEASE_FLAGS) -j $(JOBS)
	.build/release/PickerBenchmark

.venv-peers/installed: Tests/Bench/requirements.txt scripts/make-venv
	scripts/make-venv .venv-peers Tests/Bench/requirements.txt
	touch $@

test-bench-peers: build .venv-peers/installed ## martlet bench beside guidellm; fails when they differ by more than 5 %
	$(PYTHON) Tests/Bench/compare_with_peers.py $(BENCH_ARGUMENTS)

check-allocations: ## the allocations of single decisions and observations, which CI guards
	MARTLET_BENCHMARKS=1 $(SWIFT) build -c release --product PickerBenchmark $(RELEASE_FLAGS) -j $(JOBS)
	.build/release/PickerBenchmark allocations
	MARTLET_BENCHMARKS=1 $(SWIFT) build -c release --product TelemetryBenchmark $(RELEASE_FLAGS) -j $(JOBS)
	.build/release/TelemetryBenchmark allocations

bench-scrape: build ## CPU of scraping 100 and 1,000 engines beside that of reading their pages; fails over budget
	$(SWIFT) build -c release --package-path Benchmarks --scratch-path .build-bench -j $(JOBS)
	$(PYTHON) Benchmarks/scrape/run.py --tools $(RIG) $(BENCH_ARGUMENTS)

bench-flow: ## CPU and allocations of a request in a queue of 10,000; fails over budget
	MARTLET_BENCHMARKS=1 $(SWIFT) build -c release --product FlowBenchmark $(RELEASE_FLAGS) -j $(JOBS)
	.build/release/FlowBenchmark

bench-metrics: ## CPU and allocations of one observation on 1, 2 and 4 threads; fails over budget
	MARTLET_BENCHMARKS=1 $(SWIFT) build -c release --product TelemetryBenchmark $(RELEASE_FLAGS) -j $(JOBS)
	.build/release/TelemetryBenchmark

.build/release/simulate: FORCE
	$(SWIFT) build -c release --product simulate $(RELEASE_FLAGS) -j $(JOBS)

FORCE:

simulate: .build/release/simulate ## random worlds over virtual time, SEEDS of them from FIRST_SEED on; says clean, or what repeats it
	.build/release/simulate --seeds $(SEEDS) --first-seed $(FIRST_SEED)

simulate-overload: .build/release/simulate ## three times the pool's capacity and two tenants: what flow control makes of them
	.build/release/simulate --overload

docs: ## write docs/plugins.md, docs/metrics.md and docs/flags.md anew from the program
	$(SWIFT) build --product martlet -j $(JOBS)
	.build/debug/martlet plugins --markdown >docs/plugins.md
	.build/debug/martlet metrics --markdown >docs/metrics.md
	scripts/write-flags .build/debug/martlet >docs/flags.md

doc: ## the reference of the plugin API, into .build/documentation; warnings are errors
	scripts/make-doc .build/documentation

golden: ## write what the golden tests expect anew: read the difference before it is committed
	MARTLET_UPDATE_GOLDEN=1 $(SWIFT) test --filter "GoldenConfigurationTests|PluginReferenceTests|MetricReferenceTests" -j $(JOBS)

format: ## rewrite the sources in the project's format
	$(SWIFT) format format --in-place --parallel --recursive Sources Tests Benchmarks Examples Package.swift

clean: ## remove everything that was built or installed
	rm -rf .build .build-bench .build-examples .build-tools .venv .venv-deploy .venv-engines .venv-peers
