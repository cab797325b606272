"""From the config and the facts to the rules of the view: what the jail sees, and by which line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fusefs.rules import Kind
from tests.support.records import record_of
from venvjail.config.file import load
from venvjail.config.model import Config
from venvjail.layout import VenvPaths
from venvjail.planning import policy
from venvjail.planning.plan import Facts
from venvjail.record import Record

FACTS = Facts(
    paths=VenvPaths("/home/alice/proj/venv"),
    uid=1000,
    home="/home/alice",
    tmp="/tmp/dirjail-x",
    project="/home/alice/proj",
    writable=("/home/alice/data", "/mnt/scratch"),
    other_states=("/home/alice/proj/other/.venvjail",),
)
RECORD = record_of("/home/alice/proj/venv")
CONFIG = """\
[home]
allow = [".gitconfig", {path = ".pyenv", mode = "ro"}, "caf\\u0000\\u00e9"]
hide = [".profile"]
[proc]
allow = ["diskstats", "sys/vm/stat_interval"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a user's file with a line of each kind."""
    file = tmp_path / "config"
    file.write_text(CONFIG)
    file.chmod(0o600)
    return load(str(file), "/nonexistent/venvjail.toml")


def said(config: Config, facts: Facts = FACTS, record: Record = RECORD) -> set[tuple[bytes, Kind]]:
    """What the rules say, without where it was written."""
    return {(rule.path, rule.kind) for rule in policy.home_rules(config, facts, record).rules}


def test_each_line_of_the_config_is_a_rule_that_names_it(config: Config, tmp_path: Path) -> None:
    rules = policy.home_rules(config, FACTS, RECORD)
    by_path = {rule.path: (rule.kind, rule.source) for rule in rules.rules}
    assert by_path[b".gitconfig"] == (Kind.ALLOW, f"{tmp_path}/config:2")
    assert by_path[b".pyenv"] == (Kind.ALLOW_RO, f"{tmp_path}/config:2")
    assert by_path[b"caf\xe9"] == (Kind.ALLOW, f"{tmp_path}/config:2")
    assert (b".profile", Kind.HIDE) in said(config)
    assert (b".bashrc", Kind.ALLOW) in said(config), "by default"


def test_the_config_itself_is_never_seen(config: Config) -> None:
    assert (b".dirjailconfig", Kind.NEVER) in said(config)


def test_what_the_launcher_mounts_is_a_place(config: Config) -> None:
    places = {path for path, kind in said(config) if kind is Kind.MOUNTPOINT}
    assert places == {b"proj", b"proj/venv", b"data"}
    alone = {path for path, kind in said(config, FACTS._replace(project=None, writable=()))}
    assert b"proj/venv" in alone
    assert b"proj" not in alone


def test_an_interpreter_in_the_home_is_read_only_by_both_its_names(
    config: Config, tmp_path: Path
) -> None:
    home = Path(os.path.realpath(tmp_path)) / "alice"
    (home / "python-3").mkdir(parents=True)
    (home / "python").symlink_to("python-3")
    facts = FACTS._replace(home=str(home))
    rules = said(config, facts, RECORD._replace(base_prefix=f"{home}/python"))
    assert {path for path, kind in rules if kind is Kind.ALLOW_RO} == {
        b".pyenv",
        b"python",
        b"python-3",
    }
    assert all(not path.startswith(b"..") for path, _ in said(config)), "none outside of the home"


def test_nothing_of_venvjails_own_is_shown_by_any_name() -> None:
    assert set(policy.never_visible(FACTS)) == {
        b"/home/alice/.dirjailconfig",
        b"/home/alice/proj/venv/.venvjail",
        b"/home/alice/proj/venv/home",
        b"/home/alice/proj/other/.venvjail",
    }


def test_proc_has_what_the_config_names(config: Config) -> None:
    rules = policy.proc_rules(config)
    assert b"diskstats" in rules.allow
    assert b"cpuinfo" in rules.allow
    assert b"vm/stat_interval" in rules.sys_allow
    assert not any(path.startswith(b"sys/") for path in rules.allow | rules.sys_allow)
    assert not {b"diskstats", b"cpuinfo"} & rules.sys_allow


def test_the_view_gets_all_of_it(config: Config) -> None:
    settings = policy.view_settings(config, FACTS, RECORD)
    assert settings.home == b"/home/alice"
    assert settings.store == b"/home/alice/proj/venv/home"
    assert settings.rules.rules == policy.home_rules(config, FACTS, RECORD).rules
    assert settings.never == policy.never_visible(FACTS)
    proc = policy.proc_rules(config)
    assert (settings.proc.allow, settings.proc.sys_allow) == (proc.allow, proc.sys_allow)
    assert policy.user_config("/home/alice") == "/home/alice/.dirjailconfig"
