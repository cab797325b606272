"""The seed's conveniences, a sentence a test."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from tests.support.attempts import all_end, in_jail
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.requirements import require

PROGRAMS = ("bash", "git", "make", "gcc", "perl", "tar", "sed", "awk", "find", "vim", "less", "ssh")


def test_all_programs_of_the_machine_run(jail: JailedVenv) -> None:
    """The jail runs on top of your current distribution, so you can run all the programs that you
    have available on your machine."""
    script = 'for name; do command -v "$name" || :; done'
    host = jail.home.check(["sh", "-c", script, "sh", *PROGRAMS]).split()
    assert len(host) > 6
    assert jail.check(["sh", "-c", script, "sh", *PROGRAMS]).split() == host
    jail.home.write("src/proj/Makefile", "hello:\n\t@echo made by make\n")
    assert jail.check(["make", "--silent"]) == "made by make\n"
    assert "PRETTY_NAME" in jail.check(["cat", "/etc/os-release"])


def test_a_compiler_works(jail: JailedVenv) -> None:
    """... you can run all the programs that you have available on your machine: also those that
    start others and write files."""
    require(shutil.which("gcc") is not None, "gcc is not installed")
    jail.home.write("src/proj/hello.c", '#include <stdio.h>\nint main() { puts("compiled"); }\n')
    jail.check(["gcc", "-o", "hello", "hello.c"])
    assert jail.check(["./hello"]) == "compiled\n"


def test_ls_of_the_home_lists_what_is_visible(jail: JailedVenv) -> None:
    """Of course, these executed programs are also jailed, so for example `ls ~` will only list
    files visible in the jail."""
    assert {".ssh", "docs"} <= set(jail.home.check(["sh", "-c", "ls -A ~"]).split())
    names = set(jail.check(["sh", "-c", "ls -A ~"]).split())
    assert names - set(os.listdir(jail.store)) == {".bashrc", ".inputrc", ".profile", "src"}


def test_programs_started_by_programs_are_jailed(jail: JailedVenv) -> None:
    """Of course, these executed programs are **also** jailed: however they are started."""
    program = """
import os, subprocess, sys
for start in ({}, {"start_new_session": True}):
    print(subprocess.run(["ls", os.path.expanduser("~/.ssh")], capture_output=True, **start)
          .returncode)
print(os.system("env -i HOME=/ setsid nohup cat ~/.ssh/id_rsa 2>/dev/null") != 0)
"""
    assert jail.python(program).split() == ["2", "2", "True"]


def test_username_is_preserved(jail: JailedVenv) -> None:
    """Your username is preserved in the jail."""
    for command in (["id", "-un"], ["id", "-u"], ["whoami"], ["id", "-g"], ["id", "-gn"]):
        assert jail.check(command) == jail.home.check(command)
    program = "import getpass, os, pwd; print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_name)"
    name = pwd.getpwuid(os.getuid()).pw_name
    assert jail.python(program) == f"{name} {name}"
    assert jail.check(["sh", "-c", "echo $USER $LOGNAME $HOME"]) == (
        f"{name} {name} {jail.home.root}\n"
    )


def test_you_are_not_root(jail: JailedVenv) -> None:
    """You are not a `root` ..."""
    assert jail.python("import os; print(os.getresuid() + os.getresgid())") == str(
        os.getresuid() + os.getresgid()
    )
    assert os.getuid() != 0
    assert jail.check(["cat", "/proc/self/uid_map"]).split() == [str(os.getuid())] * 2 + ["1"]
    assert jail.run(["chown", "0", "main.py"]).returncode == 1
    for call in ("chroot('/')", "setuid(0)", "mknod('device', 0o20600, 0x103)"):
        done = jail.home.run([jail.bin / "python", "-c", f"import os; os.{call}"])
        assert done.returncode == 1
        assert "OSError: [Errno 22]" in done.stderr or "PermissionError" in done.stderr


def test_ownership_is_preserved(jail: JailedVenv) -> None:
    """... and files owned and created by you are listed as such in the jail."""
    name = pwd.getpwuid(os.getuid()).pw_name
    jail.check(["sh", "-c", "touch created ~/created /tmp/created"])
    listed = ["created", "~/created", "/tmp/created", "main.py", "~/.bashrc", "~", ".", ".git"]
    owners = jail.check(["sh", "-c", f"stat -c %U {' '.join(listed)}"]).split()
    assert owners == [name] * len(listed)
    for path in (jail.home.project / "created", jail.store / "created", jail.tmp / "created"):
        assert path.stat().st_uid == os.getuid()


def test_listed_config_files_work(own_jail: JailedVenv) -> None:
    """An explicitly selected list of config file are exposed to the jail in read-only mode."""
    command = ["git", "config", "--global", "user.name"]
    assert own_jail.home.check(command) == "Alice\n"
    assert own_jail.run(command).returncode == 1
    own_jail.home.check([*VENVJAIL, "stop", own_jail.env])
    own_jail.home.write(".dirjailconfig", '[home]\nallow = [".gitconfig"]\n')
    assert own_jail.check(command) == "Alice\n"
    assert own_jail.run([*command, "Mallory"]).returncode != 0
    assert own_jail.home.check(command) == "Alice\n"


@pytest.mark.parametrize(
    ("shell", "name", "alias", "function"),
    [
        ("bash", ".bashrc", "alias ll='echo aliased'", 'greet() { echo "greets $1"; }'),
        ("zsh", ".zshrc", "alias ll='echo aliased'", 'greet() { echo "greets $1"; }'),
        (
            "fish",
            ".config/fish/config.fish",
            "alias ll 'echo aliased'",
            "function greet; echo greets $argv[1]; end",
        ),
    ],
)
def test_shell_configuration_works(
    own_jail: JailedVenv, shell: str, name: str, alias: str, function: str
) -> None:
    """Shell configuration, helper functions, aliases continue to work normally while in the
    jail."""
    path = shutil.which(shell)
    require(path is not None, f"{shell} is not installed")
    own_jail.home.write(name, f"{alias}\n{function}\n")
    control = own_jail.home.check([shell, "-i", "-c", "ll; greet you"])
    inside = own_jail.check([shell, "-i", "-c", "ll; greet you"])
    assert control == inside == "aliased\ngreets you\n"


def test_login_shell_reads_the_profile(jail: JailedVenv) -> None:
    """Shell configuration ... continue to work normally: also where the dotfiles are symlinks into
    a directory that is hidden."""
    command = ["bash", "-l", "-c", "echo $FROM_PROFILE"]
    assert jail.home.check(command) == jail.check(command) == "yes\n"
    assert all_end(in_jail(jail, "look", [jail.home.root / "dotfiles"]), "ENOENT")


@pytest.mark.parametrize("place", ["src/proj", "src/proj/sub/dir", "src", "."])
def test_working_directory_is_preserved(jail: JailedVenv, place: str) -> None:
    """Your current working directory path ... is preserved in the jail: in the home."""
    directory = jail.home.root / place
    directory.mkdir(parents=True, exist_ok=True)
    done = jail.home.run(
        [jail.bin / "python", "-c", "import os; print(os.getcwd())"], cwd=directory
    )
    assert (done.stdout, done.stderr) == (f"{directory}\n", "")


@pytest.mark.parametrize("directory", ["/", "/usr/share", "/etc", "/tmp"])
def test_working_directory_elsewhere_is_preserved(jail: JailedVenv, directory: str) -> None:
    """Your current working directory path ... is preserved in the jail: everywhere else."""
    done = jail.home.run(
        [jail.bin / "python", "-c", "import os; print(os.getcwd())"], cwd=Path(directory)
    )
    assert (done.stdout, done.stderr) == (f"{directory}\n", "")


def test_hidden_working_directory(jail: JailedVenv) -> None:
    """Your current working directory path: where it is hidden the command starts in the home, and
    one line says so."""
    for name in ("docs", ".ssh"):
        directory = jail.home.root / name
        assert jail.home.check(["pwd"], cwd=directory) == f"{directory}\n"
        done = jail.home.run(
            [jail.bin / "python", "-c", "import os; print(os.getcwd())"], cwd=directory
        )
        assert done.stdout == f"{jail.home.root}\n"
        assert done.stderr.startswith("venvjail: ")
        assert f"{directory} is not visible in the jail" in done.stderr
        assert done.stderr.count("\n") == 1


def test_directory_structure_is_preserved(jail: JailedVenv) -> None:
    """... and most of the directory structure is preserved in the jail."""
    for directory in ("/", "/usr", "/usr/lib", "/etc", "/var", "/var/lib", "/opt", "/sys"):
        command = ["ls", "-A", directory]
        assert jail.check(command) == jail.home.check(command)
    command = ["find", ".", "-path", "./venv", "-prune", "-o", "-print"]
    host, inside = (sorted(run(command).split()) for run in (jail.home.check, jail.check))
    assert host == inside


# Writes wherever it can, and as much in hiding as it can.
UNTIDY = """
import os, pathlib, subprocess, sys, tempfile

home, project = pathlib.Path.home(), pathlib.Path.cwd()
places = [home, home / ".ssh", home / ".config/app", home / "docs", home / ".local/share/app",
          home / "src", home / "src/other", project / "build", project / "venv",
          pathlib.Path("/tmp"), pathlib.Path("/var/tmp"), pathlib.Path("/dev/shm"),
          pathlib.Path("/run/user", str(os.getuid())), pathlib.Path("/etc"), pathlib.Path("/opt"),
          *map(pathlib.Path, sys.argv[1:])]
made = 0
for place in places:
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "of-untidy").write_text("x")
    except OSError:
        continue
    made += 1
for name in (".bashrc", ".profile", ".gitconfig"):
    try:
        with (home / name).open("a") as file:
            file.write("evil")
    except OSError:
        continue
print(made)
"""


def test_removing_the_directory_removes_all(own_jail: JailedVenv, outside: Path) -> None:
    """File system modifications done in the jail are limited to the jailed directory subtree, so
    you can be sure that removing this program directory removes all the files that the program
    created."""
    home = own_jail.home
    before = home.snapshot(without=home.project)
    assert int(own_jail.python(UNTIDY, outside)) >= 10
    assert (own_jail.store / ".ssh/of-untidy").exists()
    private = own_jail.tmp
    home.check([*VENVJAIL, "remove", "--yes", own_jail.env])
    assert not os.path.lexists(private)
    shutil.rmtree(home.project)
    assert home.snapshot(without=home.project) == before
    assert os.listdir(outside) == []
    found = ["find", home.root.parent, "/dev/shm", "/var/tmp", "/etc", "-name", "of-untidy"]
    assert home.run(found, cwd=home.root).stdout == ""


def test_only_tmp_is_left_without_the_command(own_jail: JailedVenv) -> None:
    """... removing this program directory removes all the files that the program created: with
    rm(1) all but `/tmp/dirjail-XXXXXX`, which is where temporary files are looked for."""
    home = own_jail.home
    before = home.snapshot(without=home.project)
    own_jail.python(UNTIDY)
    private = own_jail.tmp
    own_jail.stop()
    home.check(["rm", "-r", home.project], cwd=home.root)
    assert home.snapshot() == before
    assert (private / "of-untidy").exists()
    shutil.rmtree(private)


def test_the_project_is_tidy(own_jail: JailedVenv) -> None:
    """This helps to keep the system tidy: version control sees nothing of the venv."""
    own_jail.python("import pathlib; (pathlib.Path.home() / '.made').write_text('x')")
    assert own_jail.home.check(["git", "status", "--porcelain"]) == ""
