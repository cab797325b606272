"""The supervisor of a running jail: view, control socket, live policy, ``venv/bin``, its end."""
