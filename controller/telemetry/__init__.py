"""What the controller tells the world: the catalogue of its events, and where they are written."""
