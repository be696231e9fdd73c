"""What is known of those who use our signatures."""
