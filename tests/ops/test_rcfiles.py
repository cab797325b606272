"""The shells of the jail on a real terminal: the user's own files count, and the venv is active."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from venvjail.rcfiles import shell_files
from venvjail.shells import activated, shell_command

SHELLS = ("bash", "zsh", "fish", "dash")
TIMEOUT = 20

#: The user's own file for each shell: an alias or function, a prompt, a PATH in front of all.
POSIX_RC = """
alias own_alias='echo from-alias'
own_function() { echo "from-function $1"; }
PS1='own> '
PATH=/opt/own:$PATH
"""
FISH_RC = """
alias own_alias 'echo from-alias'
function own_function; echo "from-function $argv[1]"; end
function fish_prompt; echo -n "own> "; end
set -gx PATH /opt/own $PATH
"""
RC = {
    "bash": (".bashrc", POSIX_RC),
    "zsh": (".zshrc", POSIX_RC),
    "fish": (".config/fish/config.fish", FISH_RC),
    "dash": (".own-shrc", POSIX_RC),
}


class Terminal:
    """One shell on a pseudo-terminal, started as the entry starts it."""

    def __init__(self, home: Path, shell: str, venv: str, prompt: str, **variables: str) -> None:
        rc_dir = home.parent / "rc"
        for name, content in shell_files(venv, prompt).items():
            path = rc_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        environ = {
            "HOME": str(home),
            "PATH": f"/usr/bin:{venv}/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "PYTHONHOME": "/nowhere",
            **variables,
        }
        environ = activated(environ, venv, prompt)
        command, extra = shell_command(f"/usr/bin/{shell}", str(rc_dir), environ)
        self.child = pexpect.spawn(
            command[0],
            command[1:],
            env={**environ, **extra},
            cwd=str(home),
            echo=False,
            timeout=TIMEOUT,
            encoding="utf-8",
            dimensions=(24, 400),
        )

    def expect(self, text: str) -> None:
        """Wait for ``text`` on the terminal."""
        self.child.expect_exact(text)

    def ask(self, command: str) -> str:
        """What ``command`` prints; every shell here has printf."""
        self.child.sendline(f"printf '<%s' begin\\>; {command}; printf '<%s' end\\>")
        self.child.expect("<begin>(.*?)<end>")
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.child.match[1]).strip()

    def path(self) -> list[str]:
        """PATH as programs get it."""
        return self.ask("printenv PATH").split(":")


Start = Callable[..., Terminal]


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name, content in RC.values():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return home


@pytest.fixture
def start(own_home: Path) -> Iterator[Start]:
    terminals: list[Terminal] = []

    def start(shell: str, venv: str = "/v/env", prompt: str = "env", **variables: str) -> Terminal:
        if shell == "dash":
            variables.setdefault("ENV", str(own_home / ".own-shrc"))
        terminals.append(Terminal(own_home, shell, venv, prompt, **variables))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.child.close(force=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_users_own_file_and_the_venv(start: Start, shell: str) -> None:
    terminal = start(shell)
    terminal.expect("(env) own> ")
    assert terminal.ask("own_alias") == "from-alias"
    assert terminal.ask("own_function x") == "from-function x"
    assert terminal.path() == ["/v/env/bin", "/opt/own", "/usr/bin", "/bin"]
    assert terminal.ask("printenv VIRTUAL_ENV") == "/v/env"
    assert terminal.ask("printenv VIRTUAL_ENV_PROMPT") == "env"
    assert terminal.ask("printenv PYTHONHOME ENV ZDOTDIR | wc -l") == (
        "1" if shell == "dash" else "0"
    )
    assert "venvjail" not in terminal.ask("printenv | cut -d= -f1")


@pytest.mark.parametrize("shell", SHELLS)
def test_deactivate_ends_the_shell(start: Start, shell: str) -> None:
    terminal = start(shell)
    terminal.expect("(env) own> ")
    # What the activate of another, plain venv says first must not.
    assert terminal.ask("deactivate nondestructive; echo alive") == "alive"
    terminal.child.sendline("deactivate")
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_no_prompt_on_request(start: Start, shell: str) -> None:
    terminal = start(shell, VIRTUAL_ENV_DISABLE_PROMPT="1")
    terminal.child.expect_exact("own> ")
    assert "(env)" not in terminal.child.before


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("prompt", "shown"),
    [("a b%1", "(a b%1) own> "), ("$(id)`id`\\u!'\"", "(_(id)_id__u___) own> ")],
)
def test_prompt_is_shown_not_run(start: Start, shell: str, prompt: str, shown: str) -> None:
    terminal = start(shell, prompt=prompt)
    terminal.expect(shown)
    assert terminal.ask("printenv VIRTUAL_ENV_PROMPT") == prompt


@pytest.mark.parametrize("shell", SHELLS)
def test_venv_at_a_nasty_path(start: Start, shell: str) -> None:
    venv = "/v/a b'c\"d\\e$HOME*[x]"
    terminal = start(shell, venv=venv)
    terminal.expect("(env) own> ")
    assert terminal.path() == [f"{venv}/bin", "/opt/own", "/usr/bin", "/bin"]
    assert terminal.ask("printenv VIRTUAL_ENV") == venv


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_file_of_the_users_own(start: Start, own_home: Path, shell: str) -> None:
    (own_home / RC[shell][0]).unlink()
    if shell == "zsh":
        (own_home / ".zshenv").touch()
    terminal = start(shell)
    terminal.expect("(env) ")
    assert terminal.path() == ["/v/env/bin", "/usr/bin", "/bin"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash"])
def test_return_in_the_users_file(start: Start, own_home: Path, shell: str) -> None:
    with (own_home / RC[shell][0]).open("a") as file:
        file.write("return 1\n")
    terminal = start(shell)
    terminal.expect("(env) own> ")
    assert terminal.path()[0] == "/v/env/bin"


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash"])
def test_touchy_options_and_aliases_in_the_users_file(
    start: Start, own_home: Path, shell: str
) -> None:
    with (own_home / RC[shell][0]).open("a") as file:
        file.write(
            "alias export=false unset=false hash=false case=false deactivate=false exit=false\n"
        )
        file.write("set -u\n")
    terminal = start(shell)
    terminal.expect("(env) own> ")
    terminal.child.sendline("deactivate")
    terminal.child.expect(pexpect.EOF)


def test_bash_prompt_program_that_sets_the_prompt_each_time(start: Start, own_home: Path) -> None:
    with (own_home / ".bashrc").open("a") as file:
        file.write("""PROMPT_COMMAND='PS1="new $((++n)) [$?] ";'\n""")
    terminal = start("bash")
    terminal.expect("(env) new 1 [0] ")
    terminal.child.sendline("(exit 3)")
    terminal.expect("(env) new 2 [3] ")


def test_bash_prompt_commands_in_an_array(start: Start, own_home: Path) -> None:
    with (own_home / ".bashrc").open("a") as file:
        file.write("PROMPT_COMMAND=(true 'PS1=\"new \"')\n")
    start("bash").expect("(env) new ")


def test_bash_prompt_program_that_shows_the_venv_itself(start: Start, own_home: Path) -> None:
    with (own_home / ".bashrc").open("a") as file:
        file.write("PROMPT_COMMAND='PS1=\"via python (env) > \"'\n")
    terminal = start("bash")
    terminal.child.expect_exact("via python (env) > ")
    terminal.child.sendline("true")
    terminal.child.expect_exact("via python (env) > ")
    assert "(env)" not in terminal.child.before


def test_bash_file_that_starts_another_shell(start: Start, own_home: Path) -> None:
    with (own_home / ".bashrc").open("a") as file:
        file.write("exec fish\n")
    terminal = start("bash")
    terminal.expect("own> ")
    assert "/v/env/bin" in terminal.path()
    assert terminal.ask("printenv VIRTUAL_ENV") == "/v/env"


class TestZdotdir:
    """zsh is led to our files by ZDOTDIR; the user's files see their own value of it."""

    @pytest.fixture
    def own(self, own_home: Path) -> Path:
        directory = own_home / ".config/zsh"
        directory.mkdir(parents=True)
        (own_home / ".zshrc").unlink()
        text = 'PS1="own [$ZDOTDIR] "; alias own_alias="echo from-alias"\n'
        (directory / ".zshrc").write_text(text, encoding="utf-8")
        (directory / ".zshenv").write_text("export FROM_ZSHENV=$ZDOTDIR\n", encoding="utf-8")
        return directory

    def test_from_the_environment(self, start: Start, own: Path) -> None:
        terminal = start("zsh", ZDOTDIR=str(own))
        terminal.expect(f"(env) own [{own}] ")
        assert terminal.ask("echo $ZDOTDIR") == str(own)
        assert terminal.ask("echo $FROM_ZSHENV") == str(own)
        assert terminal.ask("own_alias") == "from-alias"

    def test_from_the_users_zshenv(self, start: Start, own: Path, own_home: Path) -> None:
        text = "ZDOTDIR=$HOME/.config/zsh\n"
        (own_home / ".zshenv").write_text(text, encoding="utf-8")
        terminal = start("zsh")
        terminal.expect(f"(env) own [{own}] ")
        assert terminal.ask("echo $ZDOTDIR") == str(own)

    def test_not_set(self, start: Start, own_home: Path) -> None:
        (own_home / ".zshrc").write_text("PS1='own [${ZDOTDIR-unset}] '\n", encoding="utf-8")
        (own_home / ".zshenv").write_text("setopt prompt_subst\n", encoding="utf-8")
        terminal = start("zsh")
        terminal.expect("(env) own [unset] ")

    def test_a_zsh_within_reads_the_users_files(self, start: Start, own: Path) -> None:
        terminal = start("zsh", ZDOTDIR=str(own))
        terminal.expect(f"(env) own [{own}] ")
        terminal.child.sendline("zsh")
        terminal.expect(f"own [{own}] ")
        assert terminal.ask("own_alias") == "from-alias"
        assert terminal.path()[0] == "/v/env/bin"


def test_dash_expands_env_as_it_does_itself(start: Start) -> None:
    terminal = start("dash", ENV="$HOME/.own-shrc")
    terminal.expect("(env) own> ")


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_from_a_pipe_run_without_prompts(own_home: Path, shell: str) -> None:
    rc_dir = own_home.parent / "rc"
    for name, content in shell_files("/v/env", "env").items():
        path = rc_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    environ = activated({"HOME": str(own_home), "PATH": "/usr/bin:/bin"}, "/v/env", "env")
    command, extra = shell_command(f"/usr/bin/{shell}", str(rc_dir), environ)
    done = subprocess.run(
        command,
        input="printenv PATH",
        env={**environ, **extra},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("/v/env/bin:")
    assert done.stdout.count("\n") == 1
