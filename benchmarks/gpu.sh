#!/usr/bin/env bash
# All that a GPU is wanted for, by one command: the benches, then every network of checkpoints/ with the full budget.
#   bash benchmarks/gpu.sh [FOLDER [MINUTES [SETTING=VALUE …]]]     # results in FOLDER, default outputs/gpu
# With MINUTES it ends after so long, with exit code 75 until all is done: call it again. Hydra, wandb and datasets are
# not needed. What is done already is not done again.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
results=${1:-$root/outputs/gpu}
minutes=${2:-0}
settings=("${@:3}")
python=${PYTHON:-python3}
sizes=${SIZES:-256 512 1920x1080 3840x2160}
batch=${BATCH:-16}
crop=${CROP:-256}
mkdir -p "$results"
cd "$results"
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

left() { echo $((minutes * 60 > SECONDS ? minutes * 60 - SECONDS : 1)); }

# piece FILE COMMAND …: writes what the command prints, unless the file is there.
piece() {
  [ -s "$1" ] && return
  [ "$minutes" -gt 0 ] && [ "$(left)" -lt "$((minutes * 30))" ] && exit 75  # not begun in the second half
  "$python" "$root/benchmarks/$2" "${@:3}" > "$1.part"
  mv "$1.part" "$1"
  cat "$1"
}

# shellcheck disable=SC2086
piece stylize.md stylize.py $sizes ${COMPILE---compile}
piece training.md training.py "$batch" "$crop"
piece profiling.md profiling.py "$batch" "$crop"
limit=()
[ "$minutes" -gt 0 ] && limit=(--seconds "$(left)")
"$python" "$root/benchmarks/networks.py" "${limit[@]}" "${settings[@]}"
