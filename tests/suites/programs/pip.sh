# Usage: bash pip.sh PYTHON, in an empty directory.  Installs from the index that pip is set up for.

python=$1
export PIP_NO_INPUT=1 PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1

step venv "$python" -m venv env
pip() { env/bin/python -m pip "$@"; }

step wheels pip install 'black==24.10.0' 'pytest==8.3.4' 'colorama'
step script env/bin/black --version
step again pip install 'black==24.10.0'
step upgrade pip install --upgrade 'black==25.1.0'
step check pip check
step uninstall pip uninstall --yes black
step gone test ! -e env/bin/black
step sdist pip install --no-binary docopt 'docopt==0.6.2'
step download pip download --dest wheels --no-deps 'click==8.1.7'
step target pip install --target target --no-compile --no-index --find-links wheels --no-deps click
step user pip install --prefix prefix --no-deps 'six==1.16.0'
step cache pip cache list
step frozen pip freeze
digest tree target
digest environment env/lib -not -path '*__pycache__*' -not -name RECORD
