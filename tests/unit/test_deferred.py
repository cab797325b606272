"""A module that is deferred costs nothing until something in it is used."""

import subprocess
import sys

from tests.support.home import TREE

DEFER = """
import sys
from venvjail.serving.deferred import UNUSED, defer
"""
USED = (
    DEFER
    + """
defer({"colorsys": {}, "sys": {}, "xml.dom": {"EMPTY": 1}})
import colorsys
assert not hasattr(colorsys, "__file__")
assert "math" not in vars(colorsys)
assert colorsys.rgb_to_hsv(0, 0, 1) == (2 / 3, 1, 1)
assert sys.modules["colorsys"].__file__, "the real one has taken its place"
assert colorsys.ONE_THIRD == 1 / 3
assert sys.argv, "what was there already is left alone"
import xml.dom
assert xml.dom.EMPTY == 1
assert "xml.dom.domreg" not in sys.modules
assert xml.dom.EMPTY_NAMESPACE is None
assert "xml.dom.domreg" in sys.modules
"""
)
SUPERVISOR = (
    DEFER
    + """
defer(UNUSED)
import venvjail.serving.service
loaded = {"_ssl", "_hashlib", "idna.core", "email", "pathlib", "subprocess"} & set(sys.modules)
assert not loaded, loaded
import outcome, platform, trio
for name in UNUSED:
    assert not hasattr(sys.modules[name], "__file__"), name
outcome.Error(ValueError())
for wrong in (3, ValueError):
    try:
        outcome.Error(wrong)
    except TypeError:
        continue
    raise AssertionError(wrong)
assert trio.Path("/").name == ""
assert "email" not in sys.modules

async def run():
    return await trio.run_process(["echo", "late"], capture_stdout=True)

assert trio.run(run).stdout == b"late\\n"
assert platform.system() == "Linux"
"""
)
CONTROL = """
import sys
import venvjail.serving.service
missing = {"_ssl", "_hashlib", "idna.core", "email", "pathlib", "subprocess"} - set(sys.modules)
assert not missing, missing
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=TREE, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_deferred_module_is_loaded_by_its_first_use() -> None:
    run(USED)


def test_the_supervisor_starts_without_what_nobody_uses() -> None:
    run(SUPERVISOR)


def test_trio_alone_would_load_them() -> None:
    run(CONTROL)


def test_the_builder_loads_little() -> None:
    """Defining fifty dataclasses, with ``inspect`` for that, took a third of its imports."""
    unwanted = ("dataclasses", "inspect", "trio")
    run(
        f"import sys, venvjail.building.builder as _; assert not {{*{unwanted}}} & {{*sys.modules}}"
    )
