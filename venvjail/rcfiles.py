"""Runs on the host (builder, creator): the shell texts of the jail.

:func:`shell_files` are the rc files of a shell started by ``activate-new-shell``: the user's own
first, then what an activated venv has.  :func:`activate_files` are ``venv/bin/activate*`` as
the jail sees them, for scripts that source one.

Functions are defined before the user's files are read and called after: an alias made there does
not change them.  Everything holds under ``set -eu``.
"""

import os
import re

from venvjail.literals import csh_word, shell_word
from venvjail.shells import BASH_RC, FISH_INIT, POSIX_RC, ZSH_DIRECTORY


def shell_files(venv: str, prompt: str) -> dict[str, bytes]:
    """Names below the rc directory and their contents; ``prompt`` is shown in parentheses."""
    texts = {
        BASH_RC: _ACTIVATION + _BASH,
        POSIX_RC: _ACTIVATION + _POSIX,
        f"{ZSH_DIRECTORY}/.zshenv": _ZSHENV,
        f"{ZSH_DIRECTORY}/.zshrc": _ACTIVATION + _ZSHRC,
        FISH_INIT: _FISH,
    }
    return {name: _fill(text, venv, prompt, zsh="zsh" in name) for name, text in texts.items()}


def activate_files(venv: str, prompt: str) -> dict[str, bytes]:
    """Names in the real bin and their contents."""
    texts = {"activate": _ACTIVATE, "activate.fish": _ACTIVATE_FISH, "activate.csh": _ACTIVATE_CSH}
    return {
        name: _fill(text, venv, prompt, csh=name.endswith(".csh")) for name, text in texts.items()
    }


def _fill(text: str, venv: str, prompt: str, *, zsh: bool = False, csh: bool = False) -> bytes:
    word = csh_word if csh else shell_word
    prefix = f"({_fit_for_prompt(prompt)}) "
    if zsh:
        prefix = prefix.replace("%", "%%")
    values = {
        "@VENV@": venv,
        "@PROMPT@": prompt,
        "@PREFIX@": prefix,
        "@SHOWN@": prefix.rstrip(),
    }
    text = text.replace("@DROP_BIN@\n", _DROP_BIN)
    return re.sub(
        rb"@[A-Z]+@",
        lambda place: word(os.fsencode(values[place.group().decode("ascii")])),
        text.encode("ascii"),
    )


def _fit_for_prompt(prompt: str) -> str:
    """A shell expands its prompt: what could be expanded or move the cursor is shown as ``_``."""
    return "".join("_" if char in "\\$`!\"'" or not char.isprintable() else char for char in prompt)


# PATH without the venv's bin directory, for any POSIX shell, by builtins alone.
_DROP_BIN = """\
    PATH=:${PATH-}:
    while case $PATH in *:@VENV@/bin:*) true ;; *) false ;; esac; do
        PATH=${PATH%%:@VENV@/bin:*}:${PATH#*:@VENV@/bin:}
    done
    PATH=${PATH#:}
    PATH=${PATH%:}
"""

_ACTIVATION = """\
__venvjail_activate () {
@DROP_BIN@
    PATH=@VENV@/bin${PATH:+:$PATH}
    VIRTUAL_ENV=@VENV@
    VIRTUAL_ENV_PROMPT=@PROMPT@
    export PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    unset PYTHONHOME
    hash -r 2>/dev/null || true
    if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ]; then
        case ${PS1-} in @PREFIX@*) ;; *) PS1=@PREFIX@${PS1-} ;; esac
    fi
    unalias deactivate 2>/dev/null || true
    deactivate () {
        # Another venv's activate says "nondestructive" to whatever was active before.
        if [ "${1-}" = nondestructive ]; then return 0; fi
        exit 0
    }
}
"""

_BASH = """\
# A prompt program (starship, git-prompt) sets PS1 anew each time; it may show the venv by itself.
__venvjail_prompt () {
    case ${PS1-} in *@SHOWN@*) ;; *) PS1=@PREFIX@${PS1-} ;; esac
}
__venvjail_prompt_command () {
    if [ -n "${VIRTUAL_ENV_DISABLE_PROMPT-}" ] || [ -z "${PROMPT_COMMAND[*]-}" ]; then
        return 0
    elif [ ${#PROMPT_COMMAND[@]} -gt 1 ]; then
        PROMPT_COMMAND+=(__venvjail_prompt)
    else
        PROMPT_COMMAND+=$'\\n'__venvjail_prompt
    fi
}
if [ -r ~/.bashrc ]; then . ~/.bashrc; fi
__venvjail_activate
__venvjail_prompt_command
unset -f __venvjail_activate __venvjail_prompt_command
"""

_POSIX = """\
if [ -n "${VENVJAIL_ENV-}" ]; then ENV=$VENVJAIL_ENV; else unset ENV; fi
unset VENVJAIL_ENV
if [ -n "${ENV-}" ]; then
    # The shell itself would expand the value: ENV='$HOME/.shrc'.
    eval "set -- \\"$ENV\\""
    if [ -r "$1" ]; then . "$1"; fi
    set --
fi
__venvjail_activate
unset -f __venvjail_activate
"""

# zsh finds .zshrc by ZDOTDIR. The user's files see their own value, and the finished shell has it.
_ZSHENV = """\
if [[ -n ${VENVJAIL_ZDOTDIR-} ]]; then
    __venvjail_rc=$ZDOTDIR ZDOTDIR=$VENVJAIL_ZDOTDIR
else
    __venvjail_rc=$ZDOTDIR
    unset ZDOTDIR
fi
unset VENVJAIL_ZDOTDIR
if [[ -r ${ZDOTDIR:-$HOME}/.zshenv ]]; then . "${ZDOTDIR:-$HOME}/.zshenv"; fi
if [[ -o interactive ]]; then
    __venvjail_zdotdir=${ZDOTDIR-}
    ZDOTDIR=$__venvjail_rc
fi
unset __venvjail_rc
"""

_ZSHRC = """\
if [[ -n $__venvjail_zdotdir ]]; then ZDOTDIR=$__venvjail_zdotdir; else unset ZDOTDIR; fi
unset __venvjail_zdotdir
if [[ -r ${ZDOTDIR:-$HOME}/.zshrc ]]; then . "${ZDOTDIR:-$HOME}/.zshrc"; fi
__venvjail_activate
unfunction __venvjail_activate
"""

_FISH_ACTIVATION = """\
set -gx VIRTUAL_ENV @VENV@
set -gx VIRTUAL_ENV_PROMPT @PROMPT@
set -l directory
set -l __venvjail_path
for directory in $PATH
    if test "$directory" != "$VIRTUAL_ENV/bin"
        set -a __venvjail_path $directory
    end
end
set -gx PATH $VIRTUAL_ENV/bin $__venvjail_path
set -e PYTHONHOME
"""

_FISH = (
    _FISH_ACTIVATION
    + """\
function deactivate --description 'Leave this venv and its jail'
    if test "$argv[1]" != nondestructive
        exit 0
    end
end
if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    functions -c fish_prompt __venvjail_own_prompt
    function __venvjail_status
        return $argv[1]
    end
    function fish_prompt
        set -l last $status
        printf %s @PREFIX@
        # The user's prompt may show the status of the last command.
        __venvjail_status $last
        __venvjail_own_prompt
    end
end
"""
)

_ACTIVATE = """\
# Source this. In a shell of activate-new-shell the venv is active already and nothing changes.
if [ "${VIRTUAL_ENV-}" != @VENV@ ] ||
    ! case :${PATH-}: in *:@VENV@/bin:*) true ;; *) false ;; esac
then
@DROP_BIN@
    PATH=@VENV@/bin${PATH:+:$PATH}
    VIRTUAL_ENV=@VENV@
    VIRTUAL_ENV_PROMPT=@PROMPT@
    export PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    unset PYTHONHOME
    if [ -n "${PS1-}" ] && [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ]; then PS1=@PREFIX@$PS1; fi
    hash -r 2>/dev/null || true
fi
if ! command -v deactivate >/dev/null 2>&1; then
    deactivate () {
@DROP_BIN@
        export PATH
        unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
        PS1=${PS1-}
        PS1=${PS1#@PREFIX@}
        hash -r 2>/dev/null || true
        if [ "${1-}" != nondestructive ]; then unset -f deactivate; fi
    }
fi
"""

_ACTIVATE_FISH = (
    """\
# Source this. In a shell of activate-new-shell the venv is active already and nothing changes.
if test "$VIRTUAL_ENV" != @VENV@; or not contains -- @VENV@/bin $PATH
"""
    + _FISH_ACTIVATION
    + """\
end
if not functions -q deactivate
    function deactivate --description 'Leave this venv'
        set -l __venvjail_path
        for directory in $PATH
            if test "$directory" != @VENV@/bin
                set -a __venvjail_path $directory
            end
        end
        set -gx PATH $__venvjail_path
        set -e VIRTUAL_ENV
        set -e VIRTUAL_ENV_PROMPT
        if test "$argv[1]" != nondestructive
            functions -e deactivate
        end
    end
end
"""
)

_ACTIVATE_CSH = """\
# Source this. In a shell of activate-new-shell the venv is active already and nothing changes.
set _venvjail = @VENV@
set _venvjail_rest = ()
foreach _venvjail_directory ( $path:q )
    if ( "$_venvjail_directory" != "$_venvjail/bin" ) then
        set _venvjail_rest = ( $_venvjail_rest:q "$_venvjail_directory" )
    endif
end
set _venvjail_active = 0
if ( $?VIRTUAL_ENV && $#_venvjail_rest < $#path ) then
    if ( "$VIRTUAL_ENV" == "$_venvjail" ) set _venvjail_active = 1
endif
if ( ! $_venvjail_active ) then
    setenv VIRTUAL_ENV "$_venvjail"
    setenv VIRTUAL_ENV_PROMPT @PROMPT@
    set path = ( "$_venvjail/bin" $_venvjail_rest:q )
    unsetenv PYTHONHOME
    rehash
endif
if ( "`alias deactivate`" == "" ) then
    alias deactivate 'set path = ( $_venvjail_rest:q ); unset _venvjail_rest; \\
        unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; rehash; unalias deactivate'
endif
unset _venvjail _venvjail_active _venvjail_directory
"""
