"""Decoys: hosts that exist to be attacked."""
