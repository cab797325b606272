"""The running jail: its plan, its processes, its services."""
