"""The dialogue of one session: what is said to the client, what to the tenant's server, and when."""
