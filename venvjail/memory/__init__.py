"""Supervisor: hold a jail to ``[limits] memory`` without a cgroup.

Each command has an RLIMIT_DATA besides, which binds one process; this is for all together.
"""
