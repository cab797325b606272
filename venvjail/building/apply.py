"""Builder (jail's namespaces, before the pivot): carry out a plan, one step after another.

The new root is assembled at ``ROOT`` below a scaffold, a tmpfs that disappears with the old root.
Targets are resolved below the new root and sources below the old one with openat2(2) and
RESOLVE_NO_SYMLINKS: the jail can plant symlinks in everything that it can write to, and a mount
that followed one would land somewhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from functools import singledispatchmethod

from venvjail import syscalls
from venvjail.errors import JailError
from venvjail.planning.plan import (
    Bind,
    Cover,
    Devpts,
    Directory,
    File,
    Hide,
    Plan,
    Proc,
    Queues,
    Rebind,
    Root,
    Seal,
    Step,
    Symlink,
    Tmpfs,
    View,
)

_SAFE = syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_NO_MAGICLINKS


class Scaffold:
    """The places that exist only while the jail is built.

    ``base`` is a directory of the user's; a tmpfs is mounted there, in this namespace only.
    """

    def __init__(self, base: str) -> None:
        self.root = base + "/root"
        """Where the new root grows, ``…/.venvjail/run/root``."""
        self.view = base + "/view"
        """The FUSE mount point."""
        covers = base + "/covers"
        self.empty_directory = covers + "/directory"
        self.empty_file = covers + "/file"
        self._covers = covers
        _mount_tmpfs(base)
        # The copies of / and of the project, which base is in, leave out what is unbindable and
        # all below it: no jail carries the mounts of its own making along; mount_namespaces(7).
        syscalls.mount("none", base, "none", syscalls.MS_UNBINDABLE)
        for path in (self.root, self.view, covers):
            os.mkdir(path)
        _mount_tmpfs(covers)  # one of its own, since these two are copied
        os.mkdir(self.empty_directory, 0)
        os.close(os.open(self.empty_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0))

    def file(self, content: bytes) -> str:
        """A new file, to cover another with."""
        path = f"{self._covers}/{len(os.listdir(self._covers))}"
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o444)
        with open(fd, "wb") as file:
            file.write(content)
        return path


def _mount_tmpfs(path: str) -> None:
    syscalls.mount("venvjail", path, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)


class Applier:
    """Applies the steps of a plan to the new root; every failure is a JailError naming the path."""

    def __init__(self, scaffold: Scaffold) -> None:
        self._scaffold = scaffold
        self._root_fd = -1

    def apply(self, plan: Plan) -> None:
        for step in plan:
            try:
                self.step(step)
            except OSError as error:
                kind = type(step).__name__.lower()
                reason = error.strerror or str(error)
                raise JailError(
                    f"cannot build the jail: {kind} {step.target!r}: {reason}{_hint(step, error)}"
                ) from error

    @singledispatchmethod
    def step(self, step: Step) -> None:
        raise TypeError(f"unknown step {step!r}")

    @step.register
    def _(self, step: Root) -> None:
        attributes = (
            syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
        )
        with _opened("/") as host, _cloned(host) as tree:
            syscalls.mount_setattr(tree, attributes, recursive=True)
            with _opened(self._scaffold.root) as target:
                syscalls.attach_tree(tree, target)
        # Reopened: the descriptor must be of the mounted root, not of the directory beneath it.
        self._root_fd = os.open(self._scaffold.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    @step.register
    def _(self, step: Bind) -> None:
        attributes = syscalls.MOUNT_ATTR_NOSUID
        if not step.writable:
            attributes |= syscalls.MOUNT_ATTR_RDONLY
        if not step.devices:
            attributes |= syscalls.MOUNT_ATTR_NODEV
        with _opened(step.source) as source, _cloned(source) as tree:
            syscalls.mount_setattr(tree, attributes, recursive=True)
            with self._target(step.target, like=source) as target:
                syscalls.attach_tree(tree, target)

    @step.register
    def _(self, step: Rebind) -> None:
        attributes = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
        if not step.writable:
            attributes |= syscalls.MOUNT_ATTR_RDONLY
        # A symlink can be a mount point too, as itself: it cannot be replaced then.
        target = self._resolve(step.target, os.O_PATH | os.O_NOFOLLOW)
        try:
            with _cloned(target) as tree:
                syscalls.mount_setattr(tree, attributes, recursive=True)
                syscalls.attach_tree(tree, target)
        finally:
            os.close(target)

    @step.register
    def _(self, step: View) -> None:
        with (
            _opened(f"{self._scaffold.view}/{step.source}") as source,
            _cloned(source) as tree,
            self._target(step.target, like=source) as target,
        ):
            syscalls.attach_tree(tree, target)

    @step.register
    def _(self, step: Hide) -> None:
        try:
            target = self._resolve(step.target)
        except FileNotFoundError:
            return
        try:
            is_directory = stat.S_ISDIR(os.fstat(target).st_mode)
            scaffold = self._scaffold
            cover = scaffold.empty_directory if is_directory else scaffold.empty_file
            with _opened(cover) as source, _cloned(source) as tree:
                syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY, recursive=False)
                syscalls.attach_tree(tree, target)
        finally:
            os.close(target)

    @step.register
    def _(self, step: Tmpfs) -> None:
        self._mount(step.target, "tmpfs", f"mode={step.mode:o},size={_size(step)}")

    @step.register
    def _(self, step: Devpts) -> None:
        self._mount(step.target, "devpts", "newinstance,ptmxmode=0666,mode=620")

    @step.register
    def _(self, step: Queues) -> None:
        try:
            self._mount(step.target, "mqueue", "")
        except OSError as error:
            if error.errno != errno.ENODEV:  # a kernel that has none: CONFIG_POSIX_MQUEUE
                raise

    @step.register
    def _(self, step: Proc) -> None:
        self._mount(step.target, "proc", "")
        with self._target(step.target) as proc:
            listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc)
            try:
                names = os.listdir(listing)
            finally:
                os.close(listing)
        for name in names:
            if not (name.isdigit() or name in step.allow or name in _PROCESS_LINKS):
                self.step(View(f"proc/{name}", f"{step.target}/{name}"))

    @step.register
    def _(self, step: Directory) -> None:
        with self._parent(step.target) as (parent, name):
            os.mkdir(name, step.mode, dir_fd=parent)
            os.chmod(name, step.mode, dir_fd=parent)

    @step.register
    def _(self, step: File) -> None:
        with self._parent(step.target) as (parent, name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with open(os.open(name, flags, 0o444, dir_fd=parent), "wb") as file:
                file.write(step.content)

    @step.register
    def _(self, step: Cover) -> None:
        with _opened(self._scaffold.file(step.content)) as source, _cloned(source) as tree:
            syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY, recursive=False)
            with self._target(step.target, like=source) as target:
                syscalls.attach_tree(tree, target)

    @step.register
    def _(self, step: Symlink) -> None:
        with self._parent(step.target) as (parent, name):
            os.symlink(step.points_to, name, dir_fd=parent)

    @step.register
    def _(self, step: Seal) -> None:
        with self._target(step.target) as target:
            syscalls.mount_setattr(target, syscalls.MOUNT_ATTR_RDONLY, recursive=False)

    def pivot(self) -> None:
        """Make the new root the root and let the old one go; the stacked form of pivot_root(2)."""
        os.fchdir(self._root_fd)
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", syscalls.MNT_DETACH)
        os.chdir("/")
        os.close(self._root_fd)

    def _mount(self, path: str, fstype: str, options: str) -> None:
        """Mount a new file system; through the descriptor, so that no symlink is followed."""
        flags = syscalls.MS_NOSUID
        if fstype != "devpts":
            flags |= syscalls.MS_NODEV
        if fstype in ("proc", "devpts"):
            flags |= syscalls.MS_NOEXEC
        with self._target(path, directory=True) as target:
            syscalls.mount("venvjail", f"/proc/self/fd/{target}", fstype, flags, options)

    def _resolve(self, path: str, flags: int = os.O_PATH) -> int:
        relative = path.strip("/") or "."
        return syscalls.openat2(self._root_fd, relative, flags, _SAFE)

    @contextlib.contextmanager
    def _target(
        self, path: str, *, like: int | None = None, directory: bool = False
    ) -> Iterator[int]:
        """An O_PATH descriptor of ``path`` in the new root, made where it may be missing.

        Only on our own tmpfs, in the private /tmp and in the view can something be missing and be
        made; anywhere else the root is read-only and the attempt fails with EROFS.
        """
        if like is not None:
            directory = stat.S_ISDIR(os.fstat(like).st_mode)
        try:
            fd = self._resolve(path)
        except FileNotFoundError:
            if like is None and not directory:
                raise
            self._make(path, directory)
            fd = self._resolve(path)
        try:
            yield fd
        finally:
            os.close(fd)

    def _make(self, path: str, directory: bool) -> None:
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            last = count == len(parts)
            with self._parent("/" + "/".join(parts[:count])) as (parent, name):
                if directory or not last:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=parent)
                else:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                    os.close(os.open(name, flags, 0o644, dir_fd=parent))

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        head, _, name = path.rpartition("/")
        parent = self._resolve(head or "/")
        try:
            yield parent, name
        finally:
            os.close(parent)


_PROCESS_LINKS = frozenset({"self", "thread-self", "mounts", "net"})


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = syscalls.openat2(syscalls.AT_FDCWD, path, os.O_PATH, _SAFE)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _cloned(fd: int) -> Iterator[int]:
    # Recursive always: a copy that left locked submounts out would show what lies beneath them,
    # so the kernel refuses it (EINVAL) in a less privileged namespace; mount_namespaces(7).
    tree = syscalls.clone_tree(fd)
    try:
        yield tree
    finally:
        os.close(tree)


def _size(step: Tmpfs) -> str:
    """A size as tmpfs(5) takes it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if step.most is not None and step.most < memory * step.size // 100:
        return str(step.most)
    return f"{step.size}%"


def _hint(step: Step, error: OSError) -> str:
    if isinstance(step, Proc) and error.errno == errno.EPERM:
        return " (in a container whose /proc is masked; start it with /proc unmasked)"
    if error.errno == errno.ELOOP:
        return " (a symlink lies on the way; remove it)"
    if error.errno == errno.ENOSYS:
        return " (this kernel is too old; Linux 5.12 or newer is needed)"
    return ""
