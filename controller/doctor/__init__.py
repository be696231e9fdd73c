"""Is this machine ready? Each file looks at one part of it, then judges what it saw, as a pure function."""
