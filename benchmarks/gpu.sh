#!/usr/bin/env bash
# All that a GPU is wanted for, by one command: the benches, then the whole set of networks with the full budget.
#   bash benchmarks/gpu.sh [FOLDER]     # results; what is stopped goes on when called again
set -euo pipefail
cd "$(dirname "$0")/.."
results=${1:-outputs/gpu}
mkdir -p "$results"

python benchmarks/stylize.py 256 512 1920x1080 3840x2160 --compile | tee "$results/stylize.md"
python benchmarks/training.py 16 | tee "$results/training.md"
python benchmarks/profiling.py 16 | tee "$results/profiling.md"
python -m stylenet.release budget=gpu --gatys 100
