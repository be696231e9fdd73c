"""All commands of the runtime, by subject: changes and reads alike."""
