"""What programs that read the mount table (df, mount, psutil) find in a jail."""

from tests.support.jail import JailedVenv


def mount_points(jail: JailedVenv) -> list[str]:
    table = jail.check(["cat", "/proc/self/mounts"])
    return [line.split(" ")[1] for line in table.splitlines()]


def test_nothing_of_the_building_is_left(jail: JailedVenv) -> None:
    points = mount_points(jail)
    assert jail.paths.state in points
    assert [point for point in points if point.startswith(jail.paths.state + "/")] == []


def test_df_tells_of_the_home(jail: JailedVenv) -> None:
    """It leaves out a file system that is mounted at a shorter path as well."""
    home = str(jail.home.root)
    assert [line for line in jail.check(["df"]).splitlines() if line.endswith(f" {home}")]
