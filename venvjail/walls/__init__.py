"""What confines each jailed process behind the mounts: Landlock and seccomp."""
