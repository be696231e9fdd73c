"""What the operator wrote, parsed once into a frozen model."""
