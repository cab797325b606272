# Before the text of each program of this directory: a step prints `NAME OUTCOME`, ok or the status.

step() {
    local name=$1
    shift
    if ("$@") >&2; then echo "$name ok"; else echo "$name status-$?"; fi
}

# What is in a tree, by name, type, mode and size: the same for two runs of an installer.
digest() {
    local name=$1 top=$2
    shift 2
    echo "$name $(cd "$top" && find . "$@" -printf '%P %y %m %l\n' | LC_ALL=C sort | sha256sum | head -c 12)"
}
