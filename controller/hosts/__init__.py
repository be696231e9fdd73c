"""What each host must know about the policy, and how it gets it."""
