"""The seed on the home directory, a sentence a test."""

import os
from pathlib import Path

import pytest

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.jail import VENVJAIL, JailedVenv

#: All that the host's side of the home shows: the allowed files, and the way to the project.
SHOWN = {".bashrc", ".inputrc", ".profile", "src"}


def shown(jail: JailedVenv, directory: Path) -> set[str]:
    """The names in a directory of the home which are not of the store."""
    stored = jail.store / directory.relative_to(jail.home.root)
    names = set(jail.check(["ls", "-A", directory]).split())
    return names - set(os.listdir(stored) if stored.exists() else [])


def test_the_home_is_hidden(jail: JailedVenv) -> None:
    """The whole content of the home directory is hidden in the jail ..."""
    home = jail.home
    everything = [
        path
        for path in home.root.rglob("*")
        if not path.is_relative_to(home.root / "src")
        and path.relative_to(home.root).parts[0] not in SHOWN
    ]
    assert home.root / ".ssh/id_rsa" in everything
    assert all_end(on_host(home, "look", everything), DONE)
    assert all_end(in_jail(jail, "look", everything), "ENOENT")
    assert shown(jail, home.root / "src") == {"proj"}


def test_listed_files_are_shown(jail: JailedVenv) -> None:
    """... with the exception of an explicit list of configuration files ..."""
    assert shown(jail, jail.home.root) == SHOWN
    for name in SHOWN - {"src"}:
        path = jail.home.root / name
        assert jail.check(["cat", path]) == path.read_text(encoding="utf-8")


def test_listed_files_are_read_only(jail: JailedVenv) -> None:
    """... which are available read-only."""
    paths = [jail.home.root / name for name in SHOWN - {"src"}]
    for operation in ("write", "truncate", "chmod", "rename"):
        assert all_end(on_host(jail.home, operation, paths), DONE)
        assert all_end(in_jail(jail, operation, paths), "EROFS")
    for path in paths:
        done = jail.run(["rm", "-f", path])
        assert done.returncode == 1
        assert "Read-only file system" in done.stderr
        assert os.path.lexists(path)


@pytest.mark.parametrize("name", [".bashrc", ".profile", ".bash_profile"])
def test_default_list(own_jail: JailedVenv, name: str) -> None:
    """By default this list includes `.bashrc`, `.profile`, `.bash_profile` ..."""
    path = own_jail.home.write(name, "# the user's own\n")
    assert own_jail.check(["cat", path]) == "# the user's own\n"
    path.write_text("# changed on the host\n", encoding="utf-8")
    own_jail.stop()
    assert own_jail.check(["cat", path]) == "# changed on the host\n"


def test_list_is_modified_by_the_users_config(own_jail: JailedVenv) -> None:
    """... and can be modified via a `~/.dirjailconfig` file."""
    home = own_jail.home
    home.write("data/seen", "x")
    home.write(
        ".dirjailconfig",
        '[home]\nallow = [".gitconfig", "docs"]\nhide = [".profile"]\nwritable = ["data"]\n',
    )
    assert shown(own_jail, home.root) == {
        ".bashrc",
        ".inputrc",
        ".gitconfig",
        "docs",
        "data",
        "src",
    }
    allowed = [home.root / ".gitconfig", home.root / "docs/letter.txt"]
    assert all_end(in_jail(own_jail, "read", allowed), DONE)
    assert all_end(in_jail(own_jail, "write", allowed), "EROFS")
    assert all_end(in_jail(own_jail, "read", [home.root / ".profile"]), "ENOENT")
    own_jail.check(["sh", "-c", "echo y >~/data/made"])
    assert (home.root / "data/made").read_text() == "y\n"


def test_unreadable_config_starts_no_jail(own_jail: JailedVenv) -> None:
    """`~/.dirjailconfig`: a mistake in it is told in one line, and nothing is run."""
    own_jail.home.write(".dirjailconfig", '[home]\nallowed = [".ssh"]\n')
    done = own_jail.home.run([own_jail.bin / "python", "-c", "print('ran')"])
    assert done.stdout == ""
    assert done.returncode in (2, 125)
    assert done.stderr.startswith("venvjail: ")
    assert f"{own_jail.home.root}/.dirjailconfig" in done.stderr
    assert done.stderr.count("\n") == 1


def test_new_files_in_the_home(jail: JailedVenv) -> None:
    """The processes are allowed to create new files in the home directory (for example program
    config files), but all these created files are in fact stored in the `./home` sub directory of
    the virtual environment."""
    home = jail.home
    script = """
set -e
mkdir -p ~/.config/app ~/.cache
echo theme=dark >~/.config/app/settings
echo secret >~/.app-token
chmod 600 ~/.app-token
ln -s .app-token ~/.link
mv ~/.config/app/settings ~/.config/app/settings.ini
cat ~/.config/app/settings.ini ~/.link
"""
    assert jail.check(["sh", "-c", script]) == "theme=dark\nsecret\n"
    assert (jail.env / "home/.config/app/settings.ini").read_text() == "theme=dark\n"
    assert (jail.env / "home/.app-token").stat().st_mode & 0o777 == 0o600
    assert os.readlink(jail.env / "home/.link") == ".app-token"
    for name in (".config", ".cache", ".app-token", ".link"):
        assert not os.path.lexists(home.root / name)


def test_new_files_stay_for_the_next_jail(jail: JailedVenv) -> None:
    """... all these created files are in fact stored: they are there the next time."""
    jail.check(["sh", "-c", "echo kept >~/.kept"])
    jail.stop()
    assert jail.check(["sh", "-c", "cat ~/.kept; rm ~/.kept"]) == "kept\n"
    assert not os.path.lexists(jail.store / ".kept")


def test_a_hidden_name_is_free(jail: JailedVenv) -> None:
    """The processes are allowed to create new files in the home directory: also where the host
    has a file of that name, which stays as it is."""
    key = jail.home.root / ".ssh/id_rsa"
    before = key.read_bytes()
    jail.check(["sh", "-c", "mkdir ~/.ssh && echo the jail\\'s own >~/.ssh/id_rsa"])
    assert jail.check(["cat", key]) == "the jail's own\n"
    assert key.read_bytes() == before
    assert (jail.store / ".ssh/id_rsa").read_text() == "the jail's own\n"
    jail.check(["rm", "-r", key.parent])


def test_config_command_tells_the_list(jail: JailedVenv) -> None:
    """An **explicit** list: the user can see it."""
    told = jail.home.check([*VENVJAIL, "config", jail.env])
    assert '".bashrc"' in told
