"""The configuration: read strictly, merged, printed (docs/config.md)."""
