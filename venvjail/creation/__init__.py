"""Creation of a venv, on the host."""
