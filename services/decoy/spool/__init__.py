"""What decoys keep: recordings of sessions, uploads by hash, certificates. All have quotas; none is vital."""
