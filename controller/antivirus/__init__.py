"""What the controller knows about the clients of our signatures."""
