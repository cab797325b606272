"""Creation without pip: what lies where, and that nothing in ``venv/bin`` is a program unjailed."""

import os
import signal
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from venvjail import record
from venvjail.bins import NEW_SHELL, entry_text, foreign_names
from venvjail.creation import contents, create, env_builder
from venvjail.creation.create import Created, CreateOptions
from venvjail.creation.progress import Silence
from venvjail.errors import UserError
from venvjail.layout import VenvPaths

Make = Callable[..., Created]


@pytest.fixture
def stopped(home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The home is HOME, its project the working directory; the venvs whose jail was stopped."""
    monkeypatch.setenv("HOME", str(home.root))
    monkeypatch.chdir(home.project)
    return []


@pytest.fixture
def make(stopped: list[str]) -> Make:
    def make(env_dir: str = "venv", **options: object) -> Created:
        given = CreateOptions(**{"with_pip": False, **options})  # type: ignore[arg-type]
        return create.create(env_dir, given, Silence(), lambda paths: stopped.append(paths.env))

    return make


def mode(path: str) -> int:
    return os.lstat(path).st_mode & 0o777


def test_layout(make: Make, home: FakeHome) -> None:
    made = make()
    env = home.project / "venv"
    version = f"python3.{sys.version_info[1]}"
    assert made.paths.env == str(env)
    names = {".gitignore", ".venvjail", "bin", "home", "include", "lib", "lib64", "pyvenv.cfg"}
    assert {path.name for path in env.iterdir()} | {"lib64"} == names
    assert (env / ".gitignore").read_text(encoding="utf-8").splitlines()[-1] == "*"
    assert (env / f"lib/{version}/site-packages").is_dir()
    for private in (made.paths.state, made.paths.store, made.paths.run):
        assert mode(private) == 0o700
    assert set(os.listdir(made.paths.bin)) == {"python", "python3", version, NEW_SHELL}
    assert {"activate", "activate.csh", "activate.fish"} <= set(os.listdir(made.paths.real_bin))
    python = os.path.realpath(made.paths.real_bin + "/python")
    assert python.startswith(os.path.realpath(sys.base_prefix) + "/")


def test_python_is_no_other_venvs(make: Make) -> None:
    # Which the jail may hide, as it does one in the home.
    paths = make().paths
    python = Path(paths.real_bin, os.readlink(paths.real_bin + "/python"))
    assert not os.readlink(python).startswith(sys.prefix + "/bin/") or sys.prefix == sys.base_prefix


def test_every_name_in_bin_is_an_entry(make: Make) -> None:
    paths = make().paths
    made = record.load(paths.env)
    text = entry_text(made.base_python, made.entry_roots, paths.env)
    for name in set(os.listdir(paths.bin)) - {NEW_SHELL}:
        assert Path(paths.bin, name).read_bytes() == text
        assert mode(f"{paths.bin}/{name}") == 0o755
    assert Path(paths.state, NEW_SHELL).read_bytes() == text
    assert foreign_names(paths) == []


def test_python_knows_its_venv_where_the_jail_has_it(make: Make) -> None:
    # As the jail's mount does: the real bin at venv/bin.
    paths = make(prompt="it's").paths
    os.rename(paths.bin, paths.env + "/entries")
    os.rename(paths.real_bin, paths.bin)
    program = (
        "import sys, sysconfig; print(sys.prefix, sys.base_prefix, sysconfig.get_path('purelib'))"
    )
    done = subprocess.run(
        [f"{paths.bin}/python", "-c", program], capture_output=True, text=True, timeout=30
    )
    purelib = f"{paths.env}/lib/python3.{sys.version_info[1]}/site-packages"
    assert done.stdout.split() == [paths.env, sys.base_prefix, purelib]


def test_pyvenv_cfg_has_what_venv_writes(make: Make, tmp_path: Path) -> None:
    options = {"symlinks": True, "prompt": "my prompt", "system_site_packages": True}
    venv.EnvBuilder(**options).create(str(tmp_path / "plain"))  # type: ignore[arg-type]
    make(**options)

    def settings(path: Path) -> dict[str, str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {line.split(" = ")[0]: line.split(" = ")[1] for line in lines}

    plain, ours = settings(tmp_path / "plain/pyvenv.cfg"), settings(Path("venv/pyvenv.cfg"))
    assert "-m venvjail" in ours.pop("command", "")
    plain.pop("command", None)
    plain.pop("executable", None)
    ours.pop("executable")
    if plain["home"] == f"{sys.prefix}/bin":  # Python 3.10 in a venv
        plain["home"] = f"{sys.base_prefix}/bin"
    assert ours == plain


def test_copies(make: Make) -> None:
    paths = make(symlinks=False).paths
    python = paths.real_bin + "/python"
    assert not os.path.islink(python)
    assert mode(python) == 0o755


@pytest.mark.parametrize(("prompt", "shown"), [(None, "venv"), ("a b", "a b"), (".", "proj")])
def test_prompt(make: Make, prompt: str | None, shown: str) -> None:
    assert record.load(make(prompt=prompt).paths.env).prompt == shown
    assert f'VIRTUAL_ENV_PROMPT="{shown}"' in Path("venv/.venvjail/bin/activate").read_text()


def test_without_scm_ignore_files(make: Make) -> None:
    make(scm_ignore_files=False)
    assert not os.path.lexists("venv/.gitignore")


@pytest.mark.parametrize(
    "name", ["with space", "caf\u00e9", "not utf-8 \udcff", 'it\'s "$HOME"', "-c"]
)
def test_env_dir_of_any_name(make: Make, home: FakeHome, name: str) -> None:
    paths = make(name).paths
    assert paths.env == f"{home.project}/{name}"
    assert record.load(paths.env).venv == paths.env
    # There is no jail to be had without the rest of venvjail: what counts is who runs.
    assert b"venvjail-entry" in Path(paths.bin, "python").read_bytes()


def test_below_directories_that_do_not_exist(make: Make) -> None:
    assert make("a/b/venv").project is not None


def test_in_the_home_itself_the_project_is_the_venv(make: Make, home: FakeHome) -> None:
    project = make(str(home.root / "venv")).project
    assert project is not None
    assert (project.path, project.reason) == (None, f"{home.root} is your home")
    config = (home.root / "venv/.venvjail/venvjail.toml").read_text(encoding="utf-8")
    assert "\npath = " not in config


def test_project_is_in_the_config(make: Make, home: FakeHome) -> None:
    project = make().project
    assert project is not None
    assert project.path == str(home.project)
    config = Path("venv/.venvjail/venvjail.toml").read_text(encoding="utf-8")
    assert f'\npath = "{home.project}"\n' in config


def test_project_options(make: Make, home: FakeHome) -> None:
    project = make("a", project="..").project
    assert project is not None
    assert project.path == str(home.root / "src")
    project = make("b", no_project=True).project
    assert project is not None
    assert project.path is None
    with pytest.raises(UserError, match=r"venvjail\.toml: exists and is kept"):
        make("b", project="..")


@pytest.mark.parametrize(
    "options",
    [{"upgrade": True, "clear": True}, {"project": ".", "no_project": True}],
    ids=["clear and upgrade", "project and none"],
)
def test_options_that_exclude_each_other(make: Make, options: dict[str, object]) -> None:
    with pytest.raises(UserError, match="exclude each other"):
        make(**options)
    assert not os.path.lexists("venv")


def test_clear_loses_nothing_of_the_users(make: Make, stopped: list[str]) -> None:
    paths = make(project="..").paths
    Path(paths.store, "notes.txt").write_text("precious", encoding="utf-8")
    Path(paths.config).write_text("# edited\n", encoding="utf-8")
    Path(paths.env, "lib/junk").mkdir()
    Path(paths.real_bin, "black").touch(0o755)
    make(clear=True)
    assert stopped == [paths.env]
    assert Path(paths.store, "notes.txt").read_text(encoding="utf-8") == "precious"
    assert Path(paths.config).read_text(encoding="utf-8") == "# edited\n"
    assert not os.path.lexists(f"{paths.env}/lib/junk")
    assert "black" not in os.listdir(paths.bin)


def test_clear_replaces_a_plain_venv(make: Make) -> None:
    venv.EnvBuilder(symlinks=True).create("venv")
    Path("venv/home").mkdir()
    Path("venv/home/junk").touch()
    paths = make(clear=True).paths
    assert foreign_names(paths) == []
    assert os.listdir(paths.store) == []


def test_interrupted_clear_has_taken_the_programs_first(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    venv.EnvBuilder(symlinks=True).create("venv")
    with monkeypatch.context() as patched:
        patched.setattr(contents, "_make", interrupt)
        with pytest.raises(UserError, match=r"^interrupted: "):
            make(clear=True)
    assert not os.path.lexists("venv/bin")
    make(clear=True)


def test_again_and_upgrade_keep_the_rest(make: Make, stopped: list[str]) -> None:
    paths = make().paths
    site_packages = f"{paths.env}/lib/python3.{sys.version_info[1]}/site-packages"
    Path(site_packages, "module.py").touch()
    Path(paths.real_bin, "black").touch(0o755)
    Path(paths.config).write_text("# edited\n", encoding="utf-8")
    for options in ({}, {"upgrade": True}):
        make(**options)
        assert os.path.lexists(f"{site_packages}/module.py")
        assert "black" in os.listdir(paths.bin)
        assert Path(paths.config).read_text(encoding="utf-8") == "# edited\n"
    assert stopped == [paths.env] * 2


class TestPlanted:
    """What a jail has put in its venv must not make the next creation write elsewhere."""

    @pytest.fixture
    def secret(self, home: FakeHome) -> Path:
        return home.write("victim", "untouched")

    @pytest.mark.parametrize("options", [{}, {"upgrade": True}, {"symlinks": False}])
    def test_links_at_what_is_written(
        self, make: Make, secret: Path, options: dict[str, object]
    ) -> None:
        paths = make().paths
        names = os.listdir(paths.real_bin)
        for path in (".gitignore", "pyvenv.cfg", *(f".venvjail/bin/{name}" for name in names)):
            os.unlink(f"{paths.env}/{path}")
            os.symlink(secret, f"{paths.env}/{path}")
        make(**options)
        assert secret.read_text(encoding="utf-8") == "untouched"
        assert secret.stat().st_mode & 0o777 == 0o644
        assert not os.path.islink(f"{paths.env}/.gitignore")

    def test_directory_without_permissions_in_what_is_cleared(self, make: Make) -> None:
        paths = make().paths
        closed = Path(paths.env, "lib/closed")
        (closed / "deep").mkdir(parents=True)
        closed.chmod(0o000)
        make(clear=True)
        assert not os.path.lexists(closed)

    def test_links_in_what_is_cleared(self, make: Make, secret: Path) -> None:
        paths = make().paths
        os.symlink(secret.parent, f"{paths.env}/lib/out")
        os.symlink(secret.parent, f"{paths.real_bin}/out")
        make(clear=True)
        assert secret.read_text(encoding="utf-8") == "untouched"


#: A step of creation that fails, and the names in venv/bin that are good at that time.
STEPS = ["_write_pyvenv_cfg", "setup_python", "_write_activate_scripts", "_write_entries", "_run"]


@pytest.mark.parametrize("step", STEPS)
def test_interrupted_creation_leaves_nothing_unjailed(
    make: Make, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupt(*_arguments: object, **_keywords: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(env_builder.JailedEnvBuilder, step, interrupt)
        with pytest.raises(UserError, match=r"^interrupted: venv is incomplete; run") as caught:
            make(with_pip=True)
    assert caught.value.exit_status == 128 + signal.SIGINT
    assert foreign_names(VenvPaths(os.path.abspath("venv"))) == []
    make()
    assert record.load("venv").venv == os.path.abspath("venv")


def test_failing_step_is_one_line(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "/some/file")

    monkeypatch.setattr(env_builder.JailedEnvBuilder, "setup_python", full)
    with pytest.raises(UserError, match=r"^/some/file: No space left on device$"):
        make()


def test_python_without_ensurepip(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"has no ensurepip: .*apt install python3.*--without-pip"):
        make(with_pip=True)
    assert not os.path.lexists("venv")
    make(with_pip=False)


def test_python_that_the_jail_would_not_have(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/var/tmp/python")
    with pytest.raises(UserError, match=r"^/var/tmp/python: this Python lies below /var/tmp"):
        make()


def test_root_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UserError, match=r"^refusing to run as root: "):
        make()


def test_in_a_jail(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("venvjail.caller.JAIL_MARK", str(tmp_path))
    make()  # the control: without the variable this is no jail
    monkeypatch.setenv("VENVJAIL", "/v/env")
    with pytest.raises(UserError, match="already inside the jail of /v/env"):
        make("another")
