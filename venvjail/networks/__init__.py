"""The jail's own network: none, or isolated with pasta as the way out."""
