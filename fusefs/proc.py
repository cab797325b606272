"""The view's ``proc``: what takes the place of the entries of /proc that are not for the jail.

The jail's own procfs serves processes and what is on the allow-list; the launcher mounts
``proc/NAME`` of this tree over every other entry.  So each top-level entry of the host's /proc has
a counterpart here, of the right type, world-readable so that the kernel asks us, and opening it
is refused.  Only what can be read is listed.  ``proc/sys`` is a filtered tree, read live.
"""

from __future__ import annotations

import errno
import os
import stat

from fusefs import layers
from fusefs.events import denied, hidden, read_only
from fusefs.nodes import Node, NodeTable
from fusefs.tree import Attributes, Entry, Opened, Tree

DEFAULT_PROC = frozenset(
    # DESIGN 3, then: cgroups for Java, version_signature for libuv.
    b"cpuinfo meminfo stat uptime loadavg version filesystems mounts net swaps vmstat "
    b"cgroups version_signature".split()
)
"""The top-level entries that programs read: glibc, Python, Go, Java, Node, OpenBLAS, git."""

DEFAULT_SYS = frozenset(
    b"crypto/fips_enabled "  # OpenSSL, libgcrypt, Go
    b"fs/aio-max-nr fs/epoll/max_user_watches fs/file-max fs/inotify fs/mqueue fs/nr_open "
    b"fs/pipe-max-size "
    b"kernel/cap_last_cap kernel/domainname kernel/hostname kernel/io_uring_disabled "
    b"kernel/msgmax kernel/msgmnb kernel/msgmni kernel/ngroups_max kernel/numa_balancing "
    b"kernel/osrelease kernel/ostype kernel/overflowgid kernel/overflowuid kernel/pid_max "
    b"kernel/random kernel/randomize_va_space kernel/seccomp/actions_avail kernel/sem "
    b"kernel/shmall kernel/shmmax kernel/shmmni kernel/threads-max kernel/version "
    b"kernel/yama/ptrace_scope "
    b"net/core/rmem_max net/core/somaxconn net/core/wmem_max "
    b"net/ipv4/ip_local_port_range net/ipv4/tcp_fastopen "
    b"net/ipv6/bindv6only net/ipv6/conf/all/disable_ipv6 "
    b"vm/legacy_va_layout vm/max_map_count vm/mmap_min_addr vm/nr_hugepages "
    b"vm/overcommit_memory vm/overcommit_ratio vm/swappiness".split()
)
"""The sysctls that programs read; a directory means all below it."""

_SELF = frozenset((b"self", b"thread-self"))


class ProcRules:
    """Which entries of /proc can be read: top-level names, and paths below ``sys``."""

    __slots__ = ("_sys_ways", "allow", "sys_allow")

    def __init__(
        self,
        allow: frozenset[bytes] = DEFAULT_PROC,
        sys_allow: frozenset[bytes] = DEFAULT_SYS,
    ) -> None:
        self.allow = allow
        self.sys_allow = sys_allow
        allowed = [tuple(path.split(b"/")) for path in sys_allow]
        self._sys_ways = frozenset(names[:n] for names in allowed for n in range(len(names)))

    def readable(self, names: tuple[bytes, ...]) -> bool:
        """Whether the entry at ``names``, relative to /proc, is shown with its content."""
        if names[:1] != (b"sys",):
            return names[0] in self.allow
        below = names[1:]
        return below in self._sys_ways or any(
            b"/".join(below[:n]) in self.sys_allow for n in range(1, len(below) + 1)
        )


class ProcNode(Node):
    """An entry at ``names``, relative to /proc."""

    __slots__ = ("names",)

    def __init__(self, tree: Tree, kind: int, parent: Node, names: tuple[bytes, ...]) -> None:
        super().__init__(tree, kind, parent, names[-1] if names else b"proc")
        self.names = names


class Proc(Tree):
    """A read-only tree over the host's /proc; nothing in it stays open."""

    def __init__(self, table: NodeTable, view_root: Node, rules: ProcRules) -> None:
        self._table = table
        self._rules = rules
        self._nodes: dict[tuple[tuple[bytes, ...], int], ProcNode] = {}
        self._fd = layers.pin_root(b"/proc")[0]
        self.root = ProcNode(self, stat.S_IFDIR, view_root, ())
        self.root.opens = 1  # never forgotten

    def close(self) -> None:
        """Give back the descriptor of /proc."""
        os.close(self._fd)

    def lookup(self, parent: Node, name: bytes) -> Entry:
        parent = _proc(parent)
        names = (*parent.names, name)
        if _of_a_process(names):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if parent.names and not self._rules.readable(parent.names):
            raise denied()
        dir_fd = self._pin(parent.names)
        try:
            st = layers.lstat(dir_fd, name)
        finally:
            os.close(dir_fd)
        if parent.names[:1] == (b"sys",) and not self._rules.readable(names):
            raise hidden(exists=st is not None)
        if st is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return Entry(self._node(parent, names, layers.identity(st)), self._show(names, st))

    def attributes(self, node: Node) -> Attributes:
        node = _proc(node)
        fd = self._pin(node.names)
        try:
            return self._show(node.names, os.fstat(fd))
        finally:
            os.close(fd)

    def names(self, node: Node) -> list[bytes]:
        node = _proc(node)
        self.check_listable(node)
        fd = self._pin(node.names)
        try:
            names = layers.list_names(fd)
        finally:
            os.close(fd)
        paths = [(*node.names, name) for name in names]
        return [path[-1] for path in paths if not _of_a_process(path) and self._readable(path)]

    def check_listable(self, node: Node) -> None:
        if not self._readable(_proc(node).names):
            raise denied()

    def open(self, node: Node, flags: int) -> Opened:
        node = _proc(node)
        if not self._readable(node.names):
            raise denied()
        if flags & (os.O_ACCMODE | os.O_TRUNC):
            raise read_only()
        fd = self._pin(node.names)
        try:
            return Opened(layers.reopen(fd, os.O_RDONLY)[0], direct=True, unchanged=False)
        finally:
            os.close(fd)

    def readlink(self, node: Node) -> bytes:
        node = _proc(node)
        if not self._readable(node.names):
            raise denied()
        fd = self._pin(node.names)
        try:
            return layers.read_link(fd)
        finally:
            os.close(fd)

    def exists_on_host(self, parent: Node, name: bytes) -> bool:
        try:
            os.close(self._pin((*_proc(parent).names, name)))
        except OSError:
            return False
        return True

    def dropped(self, node: Node) -> None:
        node = _proc(node)
        self._nodes.pop((node.names, node.type), None)

    def _readable(self, names: tuple[bytes, ...]) -> bool:
        return not names or self._rules.readable(names)

    def _pin(self, names: tuple[bytes, ...]) -> int:
        fd = os.dup(self._fd)
        for name in names:
            try:
                inner, _ = layers.pin(fd, name)
            finally:
                os.close(fd)
            fd = inner
        return fd

    def _node(self, parent: ProcNode, names: tuple[bytes, ...], inode: layers.Identity) -> ProcNode:
        key = (names, inode.type)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = ProcNode(self, inode.type, parent, names)
            self._table.add(node, self._table.number("proc", inode))
        return node

    def _show(self, names: tuple[bytes, ...], st: os.stat_result) -> Attributes:
        """Never writable; all may try to read, so that a refusal is ours and is seen."""
        readable = 0o555 if stat.S_ISDIR(st.st_mode) else 0o444
        if stat.S_ISLNK(st.st_mode):
            readable = 0o777
        mode = stat.S_IFMT(st.st_mode) | readable
        return Attributes.of(st)._replace(mode=mode, nlink=1)


def _of_a_process(names: tuple[bytes, ...]) -> bool:
    return len(names) == 1 and (names[0].isdigit() or names[0] in _SELF)


def _proc(node: Node) -> ProcNode:
    if not isinstance(node, ProcNode):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    return node
