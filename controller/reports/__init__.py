"""What operators ask of a running controller, answered as plain JSON values. Pure reading."""
