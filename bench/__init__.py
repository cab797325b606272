"""``python -m bench``: what the jail costs, against a plain venv and other sandboxes."""
