# shellcheck shell=bash disable=SC2034  # sourced: the variables are the readers'
# Sourced by the other scripts: where things are.
#
# The jail refuses to run as root, so root's tests run as a user made for them. Root's own tree and
# home may be closed to that user: the venv and a copy of the tree go where it can read them.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
as_root=$([ "$(id -u)" = 0 ] && echo yes || echo no)
test_user=venvjail-test

if [ "$as_root" = yes ]; then
    base=/opt/venvjail-dev
    venv=$base/venv
    run_tree=$base/tree
else
    base=$tree/build
    venv=$tree/.venv
    run_tree=$tree
fi

# The tests' homes and venvs: outside /tmp, which a jail replaces by its own, and with a short name,
# because the address of a Unix socket holds 108 bytes.
test_tmp=$base/tmp

say() { printf '==> %s\n' "$*"; }
die() { printf 'venvjail: %s\n' "$*" >&2; exit 1; }
