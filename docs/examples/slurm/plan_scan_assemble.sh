#!/bin/sh
# Submit a scan as eight tasks, in the folder of genome.fa: sh plan_scan_assemble.sh [options of trackgen scan]
set -eu
here=$(dirname "$0")
submit="sbatch --parsable --kill-on-invalid-dep=yes"

plan=$($submit "$here/scan.sbatch" --plan-only "$@")
scan=$($submit --dependency="afterok:${plan%%;*}" --array=1-8 ${TASK_RESOURCES:-} "$here/scan.sbatch" "$@")
$submit --dependency="afterok:${scan%%;*}" --cpus-per-task=4 --wrap="trackgen assemble tracks"
