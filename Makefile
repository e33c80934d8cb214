# squall's two commands are `make run` and `make test`; both install what is missing first. `make help` lists the rest.

PRESET ?= dev
BUILD := build/$(PRESET)
SCENARIOS ?=
WORLD ?= fake
FUZZ_SECONDS ?= 60
JOBS := $(shell nproc)
# Large units cost least to build from nothing; who edits configures with `cmake --preset dev` and has small ones.
UNIT_BYTES ?= 240000
# Tests mostly wait.
TEST_JOBS := $(shell expr 2 \* $(JOBS))

.DEFAULT_GOAL := help
# All that `make help` shows.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing (Debian packages, .venv, Rust crates)
	@tools/setup.sh

setup-typescript: ## Install the TypeScript SDK for the subjects that use it (npm, 280 MB in the cache folder)
	@tools/setup-typescript.sh

$(BUILD)/build.ninja:
	@cmake --preset $(PRESET) -DSQUALL_UNIT_BYTES=$(UNIT_BYTES)

configure: setup $(BUILD)/build.ninja

build: configure ## Build everything, also the programs for figures, which no test needs
	@cmake --build --preset $(PRESET) --target all figures

run: configure ## Build, then run the incidents in WORLD (fake; sim: virtual time)
	@cmake --build --preset $(PRESET) --target programs
	@$(BUILD)/bin/squall run --world $(WORLD) $(SCENARIOS)

test: configure ## Build, then run all tests
	@cmake --build --preset $(PRESET)
	@ctest --preset $(PRESET) -j $(TEST_JOBS)

check-real: configure ## The same incidents against the real Temporal server
	@cmake --build --preset $(PRESET) --target programs
	@$(BUILD)/bin/squall run --world real $(SCENARIOS)

track-record: configure ## Run all incidents in both worlds and write what came of each into docs/incidents.md
	@cmake --build --preset $(PRESET) --target programs meta_incidents_doc_test
	@tools/track-record.sh $(BUILD)

prove-flakes: configure ## 20 runs of all scenarios in both worlds: no flake, nothing left running
	@cmake --build --preset $(PRESET) --target programs
	@tools/prove-flakes.sh $(BUILD)/bin/squall 20

prove-long: configure ## Incidents at the full length of their intervals, in both worlds at once (14 minutes)
	@cmake --build --preset $(PRESET) --target programs
	@$(BUILD)/bin/squall --library scenarios/long run --world fake,real --jobs 8

prove-faults: configure ## The example of every fault, in the fake world: injected, met, healed, and work goes on
	@cmake --build --preset $(PRESET) --target programs
	@tools/prove-faults.sh $(BUILD)/bin/squall fake

prove-fault-cycles: configure ## Every fault injected and healed CYCLES (1000) times under load: nothing is left in process or kernel
	@cmake --build --preset $(PRESET) --target fault_cycles_test
	@SQUALL_PROOF_CYCLES=$${CYCLES:-1000} SQUALL_PROOF_FAULTS=$${FAULTS:-/} SQUALL_TIMEOUT_SCALE=10 $(BUILD)/tests/fault_cycles_test

prove-differential: configure ## 600 generated scripts on the fake and the real server, in step
	@cmake --build --preset $(PRESET) --target squall-server
	@.venv/bin/python tests/differential/differential.py --server $(BUILD)/bin/squall-server \
	  --temporal .venv/bin/temporal --examples $${EXAMPLES:-600} --seed $${SEED:-1}

prove-profiles: configure ## The same scripts against older releases, the fake answering as each
	@cmake --build --preset $(PRESET) --target squall-server
	@tools/prove-profiles.sh $(BUILD)/bin/squall-server

prove-sdks: configure ## Tours of the Python, Go and TypeScript SDKs print the same on the fake and the real server
	@cmake --build --preset $(PRESET) --target squall-server
	@tools/prove-sdks.sh $(BUILD)/bin/squall-server

prove-load: ## Connections, open workflows, and a soak of SOAK minutes (60) with flat memory (release build)
	@$(MAKE) --no-print-directory PRESET=release configure
	@cmake --build --preset release --target squall-load
	@build/release/bin/squall-load all --soak-minutes $${SOAK:-60}

prove-doctor: configure ## Labelled cases for squall doctor, DRAWN of them (150) from SEED; the table goes into docs/doctor.md
	@cmake --build --preset $(PRESET) --target doctor_cases_test
	@tools/prove-doctor.sh $(BUILD)/tests/doctor_cases_test

prove-toxiproxy: configure ## Toxiproxy's Go API tests, requests side by side, the Python and Node clients: against our proxy
	@cmake --build --preset $(PRESET) --target squall-proxy
	@tools/prove-toxiproxy.sh $(BUILD)/bin/squall-proxy

prove-proxy: configure ## Toxics in force from byte 0 on 10,000 connections; 1,000 cycles of each under load, no leak
	@cmake --build --preset $(PRESET) --target proxy_server_test
	@SQUALL_PROOF_CONNECTIONS=$${CONNECTIONS:-10000} SQUALL_PROOF_CYCLES=$${CYCLES:-1000} SQUALL_TIMEOUT_SCALE=10 \
	  $(BUILD)/tests/proxy_server_test --gtest_filter='ProxyProofTest.*'

check-determinism: configure ## SEEDS (10000) seeds, each in a forked child and in a fresh process: the same run?
	@cmake --build --preset $(PRESET) --target squall-sim
	@$(BUILD)/bin/squall-sim --seeds 1..$${SEEDS:-10000} --jobs $(JOBS) --check-determinism

check-core-assertions: ## SEEDS (1000) seeds on a core with its own assertions; the table of what they met (another build of core)
	@$(MAKE) --no-print-directory PRESET=assertions configure
	@cmake --build --preset assertions --target squall-sim
	@build/assertions/bin/squall-sim --seeds 1..$${SEEDS:-1000} --jobs $(JOBS) --twice 0.01 --hits build/assertions/hits.md
	@cat build/assertions/hits.md

prove-oracles: configure ## Subjects that the oracles must see without being asked for, in the sim, fake and real worlds (a minute)
	@cmake --build --preset $(PRESET) --target programs
	@$(BUILD)/bin/squall --library tests/data/oracles run --world all --jobs 8

prove-fidelity: configure ## The same scenarios in the sim, fake and real worlds, figures compared; writes the table of docs/simulation.md
	@cmake --build --preset $(PRESET) --target programs
	@tests/fidelity/fidelity.py --squall $(BUILD)/bin/squall --write

prove-planted: configure ## Bugs planted in our hosts, engine and front end: the swarm finds them, and makes them small
	@cmake --build --preset $(PRESET) --target squall-sim-planted
	@tools/prove-planted.py $(BUILD)/tests/squall-sim-planted

prove-faults-seen: configure ## Every fault of the frame-aware proxy shown to C++, core, Go and Node clients; writes docs/faults-seen.md
	@cmake --build --preset $(PRESET) --target faults_seen_test grpc_proxy_test
	@SQUALL_PROOF_CONNECTIONS=$${CONNECTIONS:-10000} SQUALL_PROOF_CYCLES=$${CYCLES:-1000} $(BUILD)/tests/grpc_proxy_test
	@tools/prove-faults-seen.sh $(BUILD)/tests/faults_seen_test

prove-measured: configure ## What Python, Go and TypeScript SDKs do under faults, against what was measured; writes docs/measured.md
	@cmake --build --preset $(PRESET) --target programs
	@tools/prove-measured.sh $(BUILD)/bin/squall

bench: bench-server bench-proxy bench-grpc-proxy bench-relay ## All figures

bench-server: ## Speed and memory, side by side with the real dev server (release build)
	@$(MAKE) --no-print-directory PRESET=release configure
	@cmake --build --preset release --target squall-bench
	@SQUALL_SOURCE_DIR=$(CURDIR) build/release/bin/squall-bench

bench-proxy: ## The proxy beside Toxiproxy's and none: latency, throughput, CPU (release build; fetches the Go module)
	@$(MAKE) --no-print-directory PRESET=release configure
	@cmake --build --preset release --target squall-bench-proxy
	@tools/bench-proxy.sh build/release/bin

bench-grpc-proxy: ## gRPC calls per second through the frame-aware proxy and without (release build)
	@$(MAKE) --no-print-directory PRESET=release configure
	@cmake --build --preset release --target squall-bench-grpc-proxy
	@SQUALL_SOURCE_DIR=$(CURDIR) build/release/bin/squall-bench-grpc-proxy

bench-relay: ## CPU time of the frame-aware proxy's relay for a call, without sockets (release build)
	@$(MAKE) --no-print-directory PRESET=release configure
	@cmake --build --preset release --target squall-bench-relay
	@build/release/bin/squall-bench-relay

bench-sim: ## The simulator: lives of a worker a second, and how many times real time it is (release build)
	@$(MAKE) --no-print-directory PRESET=release configure
	@cmake --build --preset release --target squall-sim
	@tools/bench-sim.py build/release/bin/squall-sim

bench-doctor: configure ## squall doctor beside production core's own connect, over the same faults
	@cmake --build --preset $(PRESET) --target squall-doctor squall-server squall-ingress squall-worker
	@tools/bench-doctor.py $(BUILD)/bin $${ROUNDS:-5}

prove-doctor-root: configure ## squall-doctor in a clean minimal root (debootstrap, as root): libraries, a healthy run, start-up
	@cmake --build --preset $(PRESET) --target squall-doctor squall-server
	@tools/prove-doctor-root.sh $(BUILD)/bin

asan-ubsan: ## Unit and integration tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory PRESET=asan-ubsan test

tsan: ## Unit and integration tests under ThreadSanitizer
	@$(MAKE) --no-print-directory PRESET=tsan test

coverage: ## Lines and branches that unit and integration tests reach
	@$(MAKE) --no-print-directory PRESET=coverage configure
	@test -x .venv/bin/gcovr || .venv/bin/pip install --quiet gcovr==8.8
	@cmake --build --preset coverage
	@ctest --preset coverage -L 'unit|integration' -j $(TEST_JOBS)
	@.venv/bin/gcovr --root . --filter '(base|core|fakes|harness|reports|scenarios)/' --exclude-throw-branches \
	  --txt build/coverage/coverage.txt --html-nested build/coverage/coverage.html --print-summary build/coverage
	@echo "build/coverage/coverage.html"

fuzz: ## Build the fuzz targets (clang) and run each for FUZZ_SECONDS (60)
	@$(MAKE) --no-print-directory PRESET=fuzz configure
	@cmake --build --preset fuzz --target fuzzers
	@tools/fuzz.sh build/fuzz/fuzz $(FUZZ_SECONDS)

tidy: configure ## clang-tidy over our own code
	@cmake --build --preset $(PRESET) --target tidy

format: ## clang-format over our own code
	@git ls-files '*.h' '*.cc' | xargs clang-format-14 -i

clean: ## Remove what was built here (the user's cache folder stays)
	@rm -rf build squall-out
