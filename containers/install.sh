#!/bin/sh
# Installs the app and its offline encoders into /opt/umml, for both container definitions: install.sh cuda|cpu
set -eu
torch=${1:-cuda}
case $torch in
  cpu | cuda) ;;
  *) echo "install.sh: TORCH must be cuda or cpu, but it is $torch" >&2 && exit 2 ;;
esac
source=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export UV_CACHE_DIR="${UV_CACHE_DIR:-$work/cache}" UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
export UV_SYSTEM_CERTS=1 # those of the image, to which a site may add its own

python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --no-cache-dir uv==0.13.9 # as uv-build in pyproject.toml
uv="$work/tools/bin/uv"

cp -R "$source/apps" "$source/packages" "$source/tests" "$source/pyproject.toml" "$source/requirements.lock" "$work"
cd "$work"
"$uv" build --quiet --all-packages --wheel --out-dir wheels
rm wheels/cmh_testing-* # brings pytest

"$uv" venv --quiet --python /usr/bin/python3 /opt/umml
install() { "$uv" pip install --python /opt/umml "$@"; }
if [ "$torch" = cpu ]; then
  # The build without CUDA comes from PyTorch's own index, and its hashes are not in requirements.lock.
  install --torch-backend cpu --no-verify-hashes torch
fi
# Versions and hashes of everything else, and of PyTorch with CUDA.
install --constraint requirements.lock wheels/*.whl 'umml-cli[encoders]'
/opt/umml/bin/umml --version
