"""The union view against a model of it, through every operation, on real files."""
