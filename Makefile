# Each target sets up what it needs. `make help` lists them.
#   PYTHON=python3.13   another interpreter than Python 3.10 (>= 3.11 takes the TFX 1.21 stack and needs glibc >= 2.39)
#   IMAGE=name:tag      the container image that `make image` builds
#   ARGS="..."          more arguments for pytest (test, test-fast) or the chosen benchmark (bench)
SHELL := bash
PYTHON ?=
IMAGE ?= ann-keras:latest
ARGS ?=
BENCH ?= pipeline_overhead training_step knn_search example_gen_memory component_memory \
	tabular_peers tabular_scale weight_map unet_step patch_or_full transformer_step decoding_speed \
	serving_latency serving_throughput serving_swaps serving_restart serving_abuse
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo lint test test-fast bench bench-long image lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup:  ## the environment: .venv/bin/ann
	@tools/setup_env

demo: setup  ## a pipeline on the embedded dataset, a server, one prediction, the report
	@tools/demo

lint: setup  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup  ## the whole test-suite
	$(BIN)/python -m pytest $(ARGS)

test-fast: setup  ## the tests that take seconds and need no browser
	$(BIN)/python -m pytest -m "not slow and not browser" $(ARGS)

bench: setup  ## every benchmark that takes minutes, or BENCH=knn_search
	@set -e; for name in $(BENCH); do echo "== $$name"; $(BIN)/python -m "benchmarks.$$name" $(ARGS); done

bench-long: setup  ## isbi2012, camvid and multi30k: hours, on data from ANN_DATA_DIR or downloaded
	@$(MAKE) bench BENCH="isbi2012 camvid multi30k"

image:  ## the container image for Kubeflow Pipelines
	@command -v docker >/dev/null || { echo "make image: there is no docker command; install Docker, or build ./Dockerfile elsewhere" >&2; exit 1; }
	@docker info >/dev/null 2>&1 || { echo "make image: the Docker engine does not answer; start it (or see 'docker info')" >&2; exit 1; }
	docker build --tag $(IMAGE) .

lock:  ## requirements.lock from setup.py
	@tools/setup_env lock

clean:  ## everything that the other targets wrote, ann-runs excepted
	rm -rf .venv .uv build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
