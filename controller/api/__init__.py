"""The northbound: a REST API over which everything `postern` does goes."""
