"""Anti-virus signatures for a whole fleet: built and tried (`builder`), served (`server`), used (`agent`)."""
