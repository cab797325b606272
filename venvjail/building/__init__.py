"""In the new namespaces: the jail is built, and init holds it."""
