"""What the command line does besides creating and running."""
