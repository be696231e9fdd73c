"""Members of pools: who takes new sessions, who only finishes old ones. Pure; counts and ports are given."""
