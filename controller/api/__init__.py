"""The northbound side: the REST API that `postern` uses for everything."""
