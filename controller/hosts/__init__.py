"""What each host must know of the policy, and how it is handed over."""
