"""Pool members: which take new sessions, which only finish old ones. Pure; counts and ports are passed in."""
