"""The `postern` command. Everything about a running edge goes through the API."""
