"""What all programs on hosts share: start-up, settings, journal, files, and the way to the controller."""
