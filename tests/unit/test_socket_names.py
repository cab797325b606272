"""Which path sockets /proc/net/unix tells of."""

from venvjail.planning.host import socket_names

TABLE = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0005 01 12345 /run/systemd/private
0000000000000000: 00000002 00000000 00010000 0001 01   642 /var/lib/early
0000000000000000: 00000003 00000000 00000000 0001 03 23456
0000000000000000: 00000003 00000000 00000000 0001 03    99
0000000000000000: 00000002 00000000 00010000 0001 01 34567 @/tmp/.X11-unix/X0
0000000000000000: 00000002 00000000 00010000 0001 01 45678 /opt/two  words /x
0000000000000000: 00000002 00000000 00010000 0001 01 56789 ./relative
"""


def test_paths_of_every_row_that_has_one() -> None:
    assert list(socket_names(TABLE.splitlines(keepends=True))) == [
        "/run/systemd/private",
        "/var/lib/early",
        "/opt/two  words /x",
        "./relative",
    ]
