"""fusefs: the filtered view of a home directory and of /proc, served over FUSE.

Knows nothing of venvs, jails or namespaces: it is given a host home, a store, rules and an
observer, and answers file system requests.  It must not import ``venvjail``.
"""
