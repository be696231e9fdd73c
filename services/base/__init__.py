"""What all programs on hosts share: start-up, settings, journal, files, and the client of the controller."""
