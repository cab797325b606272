"""The manual pages, made from the commands' own help and from the config's schema."""
