"""What decoys keep: recordings of sessions, uploads by hash, certificates. All with a quota, none vital."""
