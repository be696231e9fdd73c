"""What is asked in each protocol, and what a persona says about the answers. Pure: no socket, no clock."""
