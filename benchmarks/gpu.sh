#!/usr/bin/env bash
# Run the GPU tests and benchmarks/gpu.py on a machine that has CUDA and PyTorch, but no network.
#
#   benchmarks/gpu.sh wheels FOLDER [PYTHON_VERSION [PACKAGE ...]]   where there is a network: download what is missing there
#   benchmarks/gpu.sh run FOLDER [RESULTS]                           on the GPU machine, in the clone: about ten minutes
#
# PYTHON_VERSION is that of the GPU machine (3.12). The packages default to those that images with PyTorch and the usual
# scientific packages lack. `run` names what is still missing. It installs into the environment of $PYTHON (python3) and skips
# what is there. RESULTS defaults to $OUT, else gpu_results: pytest.txt and gpu.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
lacking=(monai pytorch-ignite nibabel simpleitk fire termcolor)
lacking+=(blosc2 ndindex numexpr pydantic pydantic-core annotated-types typing-inspection) # blosc2 and what it imports

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# The wheels of the tested versions. Compiled libraries pack to half of their size by LZMA, which pip reads as well.
wheels() {
    local folder=$1 version=${2:-3.12} platforms=()
    shift $(($# < 2 ? $# : 2))
    [ $# -gt 0 ] || set -- "${lacking[@]}"
    for glibc in 28 27 24 17; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
    platforms+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)
    "$python" -m pip download --no-deps --only-binary=:all: --python-version "$version" --implementation cp \
        "${platforms[@]}" -c constraints.txt -d "$folder" "$@"
    "$python" - "$folder" <<'PY'
import sys, zipfile
from pathlib import Path

for wheel in Path(sys.argv[1]).glob("*.whl"):
    with zipfile.ZipFile(wheel) as source:
        if wheel.stat().st_size < 2**24 or source.infolist()[0].compress_type == zipfile.ZIP_LZMA:
            continue
        packed = wheel.with_suffix(".lzma")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as target:
            for entry in source.infolist():
                target.writestr(entry.filename, source.read(entry))
    packed.replace(wheel)
PY
    du -sh "$folder"
}

# Install the wheels of packages that are not there, then medkd from the clone, and name what is still missing.
install() {
    local folder=$1 wheel name
    for wheel in "$folder"/*.whl; do
        name=$(basename "$wheel" | cut -d- -f1)
        "$python" -c "import importlib.metadata as m, sys; m.version(sys.argv[1])" "$name" 2>/dev/null ||
            "$python" -m pip install -q --no-index --no-deps --no-compile "$wheel"
    done
    "$python" -m pip install -q --no-index --no-deps --no-build-isolation -e .
    "$python" - <<'PY'
import re, sys
from importlib.metadata import PackageNotFoundError, requires, version


def is_missing(name):
    try:
        version(name)
    except PackageNotFoundError:
        return True
    return False


names = [re.split(r"[<>=!;\[ ]", line)[0] for line in requires("medkd") if "extra ==" not in line]
missing = [name for name in (*names, "pytest", "psutil") if is_missing(name)]
if missing:
    sys.exit(f"benchmarks/gpu.sh: missing here: {' '.join(missing)}: add them by benchmarks/gpu.sh wheels")
PY
}

run() {
    local folder=$1 results=${2:-${OUT:-gpu_results}} failed=0
    [ -n "$(compgen -G "$folder/*.whl")" ] || { echo "benchmarks/gpu.sh: $folder: found no wheels" >&2; exit 2; }
    "$python" -c 'import torch, sys; sys.exit(0 if torch.cuda.is_available() else "benchmarks/gpu.sh: found no CUDA device")'
    mkdir -p "$results"
    install "$folder"
    nvidia-smi >"$results/card.txt" || true
    export PYTHONUNBUFFERED=1
    timeout 270 "$python" -m pytest -q -p no:cacheprovider -m gpu tests/gpu --durations=15 2>&1 |
        tee "$results/pytest.txt" || failed=1
    timeout 290 "$python" benchmarks/gpu.py 2>&1 | tee "$results/gpu.txt" || failed=1
    return $failed
}

case "${1:-}" in
    wheels) [ $# -ge 2 ] || usage; shift; wheels "$@" ;;
    run) [ $# -ge 2 ] || usage; shift; run "$@" ;;
    *) usage ;;
esac
