# Usage: bash uv.sh PYTHON, in an empty directory.  Installs uv from the index, then with uv.

python=$1
export PIP_NO_INPUT=1 PIP_QUIET=1 UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
unset VIRTUAL_ENV UV_LINK_MODE

step venv "$python" -m venv tool
step uv tool/bin/python -m pip install uv
uv() { tool/bin/uv "$@"; }

step create uv venv --python "$python" env
step install uv pip install --python env 'black==24.10.0' 'httpx==0.28.1' 'rich'
step script env/bin/black --version
step again uv pip install --python env --reinstall 'rich'
step hardlink uv pip install --python env --reinstall --link-mode hardlink 'click==8.1.7'
step symlink uv pip install --python env --reinstall --link-mode symlink 'click==8.1.7'
step copy uv pip install --python env --reinstall --link-mode copy 'click==8.1.7'
step sdist uv pip install --python env --no-binary docopt 'docopt==0.6.2'
step uninstall uv pip uninstall --python env httpx
step project uv init --quiet --bare --python "$python" project
step add uv --directory project add --python "$python" --quiet 'six==1.16.0'
step run uv --directory project run --python "$python" python -c 'import six'
step tool uv tool run --python "$python" --quiet pycowsay==0.0.0.2 moo
step prune uv cache prune
step clean uv cache clean --quiet
digest environment env/lib -not -path '*__pycache__*' -not -name RECORD -not -path '*/click*'
