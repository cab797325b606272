"""Runs at development time: writes docs/config.md from the schema.

``python -m venvjail.config.reference > docs/config.md``; a test fails when that was forgotten.
"""

import sys
import textwrap
from typing import Any

from venvjail.config.schema import SECTIONS, Key, Section, Shape
from venvjail.config.view import toml_value

#: What stands before the sections.
HEAD = """\
<!-- Made by `python -m venvjail.config.reference`; edit venvjail/config/schema.py instead. -->

# Configuration

Two files, both optional, in [TOML](https://toml.io), with the same sections and keys:

| file | counts for |
|---|---|
| `~/.dirjailconfig` | all your venvs |
| `VENV/.venvjail/venvjail.toml` | one venv; written when it is created |

Lists add up: the defaults, then your file, then the venv's. An entry that is in two of them counts
as the later one says. Of single values the last one wins. `venvjail config VENV` prints the
result, each value with the file and line it came from.

A jail sees neither file, and no program in a jail can change them.

**Strict.** An unknown section or key, a value of a wrong type or out of range, a name given twice,
a file that cannot be read, is not a regular file, is not UTF-8, is larger than 1 MiB, belongs to
another user (other than root) or can be written by others: each is an error with file, line and
what was expected, and nothing is started. A missing file is an empty one.

**Paths** are taken by the letter, without variables; `..` is refused. So are `*` and `?`, except in
`project.path`: a `hide` that took a pattern by the letter would hide nothing, silently. Patterns
work in `dev.allow` and in the lists of `[environment]`: `*` is any text (in a path, without `/`),
`?` one character and `[abc]` one of a set.

A path with bytes that are not UTF-8 is written with each such byte as two characters: `\\u0000` and
the byte. `"caf\\u0000\\u00e9"` is the name `caf` and the byte E9.
"""


def reference() -> str:
    """The text of docs/config.md."""
    return "\n".join((HEAD, *(_section(known) for known in SECTIONS)))


def _section(known: Section) -> str:
    keys = "".join(_key(known, key) for key in known.keys)
    return f"## [{known.name}]\n\n{_wrapped(known.meaning)}{keys}"


def _key(known: Section, key: Key) -> str:
    return f"""
### {known.name}.{key.name}

{_wrapped(key.meaning)}
- Type: {type_of(key)}
- Default:{default_of(key)}

```toml
[{known.name}]
{key.name} = {key.example}
```
"""


def type_of(key: Key) -> str:
    """What a value has to be, in words."""
    if key.shape is Shape.ONE:
        return key.kind.expected
    return f"{key.shape.value}, each {key.kind.expected}"


def default_of(key: Key) -> str:
    """The default in Markdown, with a blank or a line break before it."""
    default: Any = key.default
    if default is None:
        return " not given"
    if key.shape is Shape.ONE:
        return f" `{toml_value(default)}`"
    if not default:
        return " empty"
    names = " ".join(f"`{toml_value(entry)[1:-1]}`" for entry in default)
    return "\n" + textwrap.indent(_wrapped(names, 98), "  ").rstrip()


def _wrapped(text: str, width: int = 100) -> str:
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
