"""What a jail sees at any path, and why, without a jail running."""
