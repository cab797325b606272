"""What a config file cannot say, each with its exact error."""

from pathlib import Path

import pytest

from venvjail.config.file import load
from venvjail.errors import ConfigError

HOME_ALLOW = 'expected a path in the home, such as ".gitconfig", or {path = ".pyenv", mode = "ro"}'
HOME_HIDE = 'expected a path in the home, such as ".config/git/credentials"'
SYSTEM = 'expected an absolute path, such as "/srv/private"'
PROTECT = 'expected a path in the project, such as ".git"'
PROC = 'expected a path below /proc without "/proc/", such as "diskstats"'
RUN = 'expected a path below /run, such as "/run/postgresql"'
DEV = 'expected a path or pattern below /dev, such as "/dev/nvidia*"'
NAME = 'expected the name of a variable or a pattern, such as "GITHUB_TOKEN" or "*_KEY"'
VARIABLE = 'expected a variable and a string, such as PIP_REQUIRE_VIRTUALENV = "1"'
PORT = (
    'expected a port from 1 to 65535, such as 8000, or "8080:80" for HOST:JAIL, '
    'with an address before it if need be: "0.0.0.0:8080:80"'
)
MEMORY = 'expected a size of 16M or more, such as "2G" or "1.5G" (K, M, G, T), or a number of bytes'
SECONDS = "expected a number of seconds from 0 to 31536000 (a year)"

#: A file's text, and the error after the file's path.
ERRORS = {
    # Sections and keys.
    "unknown section": (
        "\n[hom]\n",
        ':2: unknown section "hom", did you mean home?; expected home, filesystem, project, proc, '
        "run, dev, environment, network, limits, audit or jail",
    ),
    "unknown section far from all": (
        "[zzz]",
        ':1: unknown section "zzz"; expected home, filesystem, project, proc, run, dev, '
        "environment, network, limits, audit or jail",
    ),
    "unknown key": (
        "[home]\nalow = []",
        ':2: unknown key "alow" in [home], did you mean allow?; expected allow, hide or writable',
    ),
    "unknown key, the only one": (
        "[run]\nALLOW = []",
        ':2: unknown key "ALLOW" in [run], did you mean allow?; expected allow',
    ),
    "unknown key, dotted and quoted": (
        '# x\njail."lin\\nger" = 1',
        ':2: unknown key "lin\\nger" in [jail], did you mean linger?; expected linger, '
        "user_namespaces, notice or terminal",
    ),
    "key without its section": (
        "linger = 3",
        ':1: "linger" is not in a section; expected it in [jail]',
    ),
    "key without its section, of several": (
        "writable = []\n",
        ':1: "writable" is not in a section; expected it in [home] or [filesystem]',
    ),
    "unknown key without a section": (
        "x = 3",
        ':1: "x" is not in a section; expected a section first',
    ),
    "unknown section, twice over": (
        "[[hide]]",
        ':1: unknown section "hide"; expected home, filesystem, project, proc, run, dev, '
        "environment, network, limits, audit or jail",
    ),
    "section twice over": (
        "\n[[home]]\n",
        ":2: [[home]] is an array of tables; expected one section [home]",
    ),
    "section that is a value": ("home = 3", ":1: home is an integer; expected a section [home]"),
    # Types.
    "string for a list": (
        '[home]\nallow = ".gitconfig"',
        ':2: home.allow is a string; expected a list such as [".gitconfig", ".config/git", '
        '{path = ".pyenv", mode = "ro"}]',
    ),
    "list for a table": (
        "[environment]\nset = []",
        ':2: environment.set is a list; expected a table such as {PIP_REQUIRE_VIRTUALENV = "1"}',
    ),
    "number in a list of paths": (
        '[home]\nhide = [\n  ".a",\n  3,\n]',
        f":4: home.hide: 3 is an integer; {HOME_HIDE}",
    ),
    "boolean in a list of paths": (
        "[filesystem]\nhide = [true]",
        f":2: filesystem.hide: true is a boolean; {SYSTEM}",
    ),
    "list in a list": ("[run]\nallow = [[]]", f":2: run.allow: this is a list; {RUN}"),
    "date for a path": (
        "[project]\npath = 1979-05-27",
        ":2: project.path: 1979-05-27 is a date or time; "
        'expected an absolute path, such as "/home/alice/proj"',
    ),
    "string for a switch": (
        '[jail]\nnotice = "no"',
        ':2: jail.notice: "no" is a string; expected true or false',
    ),
    "number for a switch": (
        "[jail]\nuser_namespaces = 1",
        ":2: jail.user_namespaces: 1 is an integer; expected true or false",
    ),
    "unknown terminal": (
        '[jail]\nterminal = "pty"',
        ':2: jail.terminal: "pty" is not a terminal mode; expected "relay" or "shared"',
    ),
    # Paths in the home.
    "empty": ('[home]\nallow = [""]', f':2: home.allow: "" is empty; {HOME_ALLOW}'),
    "absolute in the home": (
        '[home]\nhide = ["/etc"]',
        f':2: home.hide: "/etc" is absolute; {HOME_HIDE}',
    ),
    "above the home": (
        '[home]\nallow = ["a", "b/../../x"]',
        f':2: home.allow: "b/../../x" has a .. component; {HOME_ALLOW}',
    ),
    "NUL": (
        '[home]\nallow = ["a\\u0000b"]',
        f':2: home.allow: "a\\u0000b" has a NUL character; {HOME_ALLOW}',
    ),
    "pattern in the home": (
        '[home]\nhide = [".aws*"]',
        f':2: home.hide: ".aws*" is a pattern, and patterns are not taken here; {HOME_HIDE}',
    ),
    "variable": (
        '[home]\nhide = ["$HOME/.aws"]',
        f':2: home.hide: "$HOME/.aws" has a variable, which is not expanded; {HOME_HIDE}',
    ),
    "home of somebody": (
        '[home]\nhide = ["~bob/.aws"]',
        f':2: home.hide: "~bob/.aws" is in another user\'s home; {HOME_HIDE}',
    ),
    "a name that only looks expanded": (
        '[home]\nhide = ["~/~bob"]',
        f':2: home.hide: "~/~bob" is in another user\'s home; {HOME_HIDE}',
    ),
    **{
        f"whole home as {whole}": (
            f'[home]\nallow = ["{whole}"]',
            f':2: home.allow: "{whole}" is the whole home, with every secret in it; {HOME_ALLOW}',
        )
        for whole in (".", "~", "~/", "./.")
    },
    "whole home writable": (
        '[home]\nwritable = ["~/."]',
        ':2: home.writable: "~/." is the whole home, with every secret in it; '
        'expected a path in the home, such as "data"',
    ),
    "whole home hidden": (
        '[home]\nhide = ["~"]',
        ':2: home.hide: "~" is the whole home, which is hidden but for what is allowed; '
        f"{HOME_HIDE}",
    ),
    "the user's file": (
        '[home]\nallow = ["~/.dirjailconfig"]',
        ':2: home.allow: "~/.dirjailconfig" is the jail\'s own config, which is never visible in '
        f"a jail; {HOME_ALLOW}",
    ),
    "unknown mode": (
        '[home]\nallow = [\n{path = "a"},\n{path = "b", mode = "rw"}]',
        ':4: home.allow: mode "rw" is not known; expected mode "merge" or "ro"',
    ),
    "mode without path": (
        '[home]\nallow = [{mode = "ro"}]',
        f":2: home.allow: the table has no path; {HOME_ALLOW}",
    ),
    "unknown key of an entry": (
        '[home]\nallow = [{path = "a", made = "ro"}]',
        f':2: home.allow: unknown key "made"; {HOME_ALLOW}',
    ),
    "there twice": (
        '[home]\nallow = [\n".a",\n{path = "./.a", mode = "ro"}]',
        ":4: home.allow: this is there already in line 3; expected it once",
    ),
    "long": (
        f'[home]\nallow = ["/{"x" * 200}"]',
        f':2: home.allow: "/{"x" * 99}…" is absolute; {HOME_ALLOW}',
    ),
    "control characters": (
        '[home]\nallow = ["/\\u001b[2J\\n"]',
        f':2: home.allow: "/\\u001b[2J\\n" is absolute; {HOME_ALLOW}',
    ),
    # Other paths.
    "relative": (
        '[filesystem]\nwritable = ["mnt"]',
        f':2: filesystem.writable: "mnt" is relative; {SYSTEM}',
    ),
    "whole file system": (
        '[filesystem]\nwritable = ["//"]',
        f':2: filesystem.writable: "//" is the whole file system; {SYSTEM}',
    ),
    "above the home, absolute": (
        '[filesystem]\nhide = ["/home"]',
        f':2: filesystem.hide: "/home" contains the home, whose rules are in [home]; {SYSTEM}',
    ),
    "the home, absolute": (
        '[filesystem]\nwritable = ["~"]',
        f':2: filesystem.writable: "~" contains the home, whose rules are in [home]; {SYSTEM}',
    ),
    "project that is the home": (
        '[project]\npath = "/home/alice/"',
        ':2: project.path: "/home/alice/" contains the home, whose rules are in [home]; '
        'expected an absolute path, such as "/home/alice/proj"',
    ),
    "protect outside the project": (
        '[project]\nprotect = ["/etc"]',
        f':2: project.protect: "/etc" is absolute; {PROTECT}',
    ),
    "protect all": (
        '[project]\nprotect = ["./"]',
        f':2: project.protect: "./" is the whole directory; {PROTECT}',
    ),
    "proc with its name": (
        '[proc]\nallow = ["/proc/kcore"]',
        f':2: proc.allow: "/proc/kcore" is absolute; {PROC}',
    ),
    "run as a whole": (
        '[run]\nallow = ["/run"]',
        f':2: run.allow: "/run" is not below /run; {RUN}',
    ),
    "not below /run": (
        '[run]\nallow = ["/runner/x"]',
        f':2: run.allow: "/runner/x" is not below /run; {RUN}',
    ),
    "not below /dev": (
        '[dev]\nallow = ["/dev/../etc"]',
        f':2: dev.allow: "/dev/../etc" has a .. component; {DEV}',
    ),
    # Environment.
    "equals sign in a pattern": (
        '[environment]\nkeep = ["A=1"]',
        f':2: environment.keep: the name "A=1" has an equals sign; {NAME}',
    ),
    "empty pattern": (
        '[environment]\nonly = [""]',
        f':2: environment.only: "" is empty; {NAME}',
    ),
    "number for a variable": (
        "[environment.set]\nA = 'x'\nB = 1",
        f':3: environment.set: the value of "B" is an integer; {VARIABLE}',
    ),
    "dotted variable": (
        "[environment]\nset = {A.B = 'x'}",
        f':2: environment.set: the value of "A" is a table; {VARIABLE}',
    ),
    "empty variable": (
        "[environment]\nset = {'' = 'x'}",
        f':2: environment.set: "" is empty; {VARIABLE}',
    ),
    "NUL in a variable": (
        '[environment]\nset = {A = "x\\u0000"}',
        f':2: environment.set: the value of "A" has a NUL character; {VARIABLE}',
    ),
    # Numbers and words.
    "network mode": (
        '[network]\nmode = "off"',
        ':2: network.mode: "off" is not a network mode; expected "host", "none" or "isolated"',
    ),
    "port 0": ("[network]\npublish = [0]", f":2: network.publish: 0 is out of range; {PORT}"),
    "port too large": (
        '[network]\npublish = [80,\n"1:65536"]',
        f":3: network.publish: 65536 is out of range; {PORT}",
    ),
    "ports": (
        '[network]\npublish = ["127.0.0.1:80"]',
        f':2: network.publish: "127.0.0.1:80" is not a pair of ports; {PORT}',
    ),
    "no address": (
        '[network]\npublish = ["10.0.0.256:80:80"]',
        f':2: network.publish: "10.0.0.256" is not an address; {PORT}',
    ),
    "IPv6 without brackets": (
        '[network]\npublish = ["::1:80:80"]',
        f':2: network.publish: "::1:80:80" is not a pair of ports; {PORT}',
    ),
    "address and port twice": (
        '[network]\npublish = ["[::1]:80:80",\n"[0::1]:80:81"]',
        ':3: network.publish: "[0::1]:80:81" is there already in line 2; expected it once',
    ),
    "port twice": (
        '[network]\npublish = [80,\n"80:81"]',
        ':3: network.publish: "80:81" is there already in line 2; expected it once',
    ),
    "processes": (
        "[limits]\nprocesses = 0",
        ":2: limits.processes: 0 is out of range; expected a number of processes from 1 to 4194304",
    ),
    "a boolean is no number": (
        "[limits]\nprocesses = true",
        ":2: limits.processes: true is a boolean; expected a number of processes from 1 to 4194304",
    ),
    "processes beyond any number": (
        f"[limits]\nprocesses = 0x{'f' * 9999}",
        ":2: limits.processes: this number is out of range; "
        "expected a number of processes from 1 to 4194304",
    ),
    "memory": ('[limits]\nmemory = "four"', f':2: limits.memory: "four" is not a size; {MEMORY}'),
    "memory as people write it": (
        '[limits]\nmemory = "4 GiB"',
        ':2: limits.memory: "4 GiB" is not a size; expected "4G"',
    ),
    "memory in lower case": (
        '[limits]\nmemory = "1.5g"',
        ':2: limits.memory: "1.5g" is not a size; expected "1.5G"',
    ),
    "too little memory": (
        "[limits]\nmemory = 4",
        f":2: limits.memory: 4 is out of range; {MEMORY}",
    ),
    "negative linger": ("[jail]\nlinger = -1", f":2: jail.linger: -1 is out of range; {SECONDS}"),
    "endless linger": ("[jail]\nlinger = inf", f":2: jail.linger: inf is out of range; {SECONDS}"),
    "linger that is no number": (
        "[jail]\nlinger = nan",
        f":2: jail.linger: nan is out of range; {SECONDS}",
    ),
    "linger in words": (
        '[jail]\nlinger = "1m"',
        f':2: jail.linger: "1m" is a string; {SECONDS}',
    ),
    # TOML.
    "key twice": (
        "[home]\nallow = []\nallow = [\n]",
        ':3: "home.allow" is there already in line 2; expected it once',
    ),
    "section twice": (
        "[home]\n[run]\n[home]\n",
        ':3: "home" is there already in line 1; expected it once',
    ),
    "byte order mark": (
        "\ufeff[home]",
        ":1: the file begins with a byte order mark; expected TOML",
    ),
    "open bracket": (
        "[home]\nallow = [\n  '.a',\n",
        ":3: invalid value in the list that begins in line 2; expected TOML",
    ),
    "open bracket before a section": (
        "[home]\nallow = [\n  '.a',\n[jail]\nlinger = 1",
        ":4: invalid value in the list that begins in line 2; expected TOML",
    ),
    "control character": (
        "[home]\n# \x1b[2J\n",
        ":2: found invalid character '\\x1b'; expected TOML",
    ),
    "too deep": (
        f"x = {'[' * 5000}",
        ": is nested too deeply or has too long a number; expected TOML",
    ),
    "too long": (
        f"x = {'9' * 5000}",
        ": is nested too deeply or has too long a number; expected TOML",
    ),
}


@pytest.mark.parametrize(("text", "error"), ERRORS.values(), ids=ERRORS.keys())
def test_error(tmp_path: Path, text: str, error: str) -> None:
    file = tmp_path / "venvjail.toml"
    file.write_bytes(text.encode())
    file.chmod(0o600)
    with pytest.raises(ConfigError) as raised:
        load("/nonexistent/.dirjailconfig", str(file), home="/home/alice")
    assert str(raised.value) == f"{file}{error}"
