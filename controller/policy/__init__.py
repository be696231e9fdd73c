"""What the operator wrote: parsed once at the border into a frozen model."""
