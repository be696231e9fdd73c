"""What accepting a policy changes, in words and as records that can be compared later. Pure."""
