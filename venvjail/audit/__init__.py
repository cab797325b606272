"""What jailed programs were refused: collected, told and kept."""
