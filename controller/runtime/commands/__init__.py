"""Everything that can be asked of the runtime, by subject; changes and reads alike."""
