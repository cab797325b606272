"""What a jail needs of this machine: tried, not read from version numbers."""
