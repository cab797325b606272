"""Rules suggested from the log, and allowed line by line."""

import os

import pexpect

from tests.support.jail import VENVJAIL, JailedVenv
from venvjail.config import toml


def refuse(jail: JailedVenv, *names: str) -> None:
    """Let programs look for names of the home."""
    for name in names:
        assert jail.run(["cat", jail.home.root / name]).returncode != 0


def suggestion(jail: JailedVenv, *options: str) -> str:
    return jail.home.check([*VENVJAIL, "log", jail.env, "--suggest", *options])


def test_the_fewest_rules_that_show_what_was_asked_for(own_jail: JailedVenv) -> None:
    home = own_jail.home
    home.write("docs/more/x", "x")
    home.write(".config/tool/conf", "x")
    refuse(own_jail, ".gitconfig", "docs/letter.txt", "docs/more/x", ".config/tool/conf", "absent")
    own_jail.run(["head", home.root / ".gitconfig"])
    own_jail.run(["cat", "/proc/kallsyms"])
    text = suggestion(own_jail)
    assert toml.loads(text) == {
        "home": {"allow": [".config/tool", ".gitconfig", "docs"]},
        "proc": {"allow": ["kallsyms"]},
    }
    assert '".gitconfig",  # cat, head: ' in text or '".gitconfig",  # head, cat: ' in text
    config = home.write(".dirjailconfig", text)
    config.chmod(0o600)
    own_jail.stop()
    paths = [home.root / name for name in (".gitconfig", "docs/letter.txt", ".config/tool/conf")]
    own_jail.check(["cat", *paths])
    assert suggestion(own_jail) == "# nothing to allow\n"


def test_secrets_are_left_out_and_listed_apart(own_jail: JailedVenv) -> None:
    refuse(own_jail, ".ssh/id_rsa", ".aws/credentials", ".gitconfig")
    text = suggestion(own_jail)
    assert toml.loads(text) == {"home": {"allow": [".gitconfig"]}}
    apart = text[text.index("# Left out") :]
    assert '#   ".ssh"  SSH keys; cat: once' in apart
    assert '#   ".aws"  AWS credentials; cat: ' in apart
    assert toml.loads(suggestion(own_jail, "--sensitive")) == {}


def test_names_that_would_break_the_file(own_jail: JailedVenv) -> None:
    name = 'a "b"\n[home]\nallow = [".ssh"] #\x1b[2J'
    own_jail.home.write(name, "x")
    refuse(own_jail, name)
    text = suggestion(own_jail)
    assert toml.loads(text) == {"home": {"allow": [name]}}
    assert "\x1b" not in text


def test_asked_line_by_line(own_jail: JailedVenv) -> None:
    home = own_jail.home
    refuse(own_jail, ".gitconfig", "docs/letter.txt", ".ssh/id_rsa")
    command, *words = (os.fspath(word) for word in (*VENVJAIL, "allow", own_jail.env, "--from-log"))
    with pexpect.spawn(command, words, env=home.env, encoding="utf-8", timeout=20) as dialogue:
        dialogue.expect(r"show .*/\.gitconfig\? \(cat: .*\) \[y/N\]: ")
        dialogue.sendline("y")
        dialogue.expect(r"show .*/docs\? \(cat: .*\) \[y/N\]: ")
        dialogue.sendline("n")
        dialogue.expect("it counts in the running jail from now on")
        dialogue.expect(pexpect.EOF)
    assert "Alice" in own_jail.check(["cat", home.root / ".gitconfig"])
    refuse(own_jail, "docs/letter.txt")


def test_without_an_answer_nothing_is_allowed(own_jail: JailedVenv) -> None:
    refuse(own_jail, ".gitconfig")
    argv = [*VENVJAIL, "allow", own_jail.env, "--from-log"]
    done = own_jail.home.run(argv, stdin="")
    assert done.returncode == 130
    refuse(own_jail, ".gitconfig")
    done = own_jail.home.run([*argv, own_jail.home.root])
    assert done.returncode == 2
