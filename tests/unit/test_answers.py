"""What the kernel is told about an inode."""

import os
import stat

from fusefs.answers import entry_attributes
from fusefs.nodes import Node
from fusefs.tree import Attributes, Entry, Tree

FOREIGN = os.getgid() + 1


class Bare(Tree):
    """Of one directory, ``/``, with nothing in it."""

    def lookup(self, parent: Node, name: bytes) -> Entry:
        raise FileNotFoundError

    def attributes(self, node: Node) -> Attributes:
        return Attributes.of(os.stat("/"))

    def names(self, node: Node) -> list[bytes]:
        return []


def shown(uid: int, gid: int) -> tuple[int, int]:
    directory = Attributes.of(os.stat("/"))._replace(uid=uid, gid=gid)
    answer = entry_attributes(Node(Bare(), stat.S_IFDIR, None, b""), directory)
    return answer.st_uid, answer.st_gid


def test_own_files_of_any_group_are_of_the_group_that_the_jail_has() -> None:
    # Otherwise nothing could be created in a home whose group is not the user's first one.
    assert shown(os.getuid(), FOREIGN) == (os.getuid(), os.getgid())


def test_files_of_others_keep_their_group() -> None:
    assert shown(os.getuid() + 1, FOREIGN) == (os.getuid() + 1, FOREIGN)
