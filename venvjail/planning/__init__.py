"""Decided on the host before a jail exists: facts, guards, grafts, the plan of its mounts."""
