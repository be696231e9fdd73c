"""Anti-virus signatures for a fleet: built and tested (`builder`), served (`server`), used (`agent`)."""
