"""The agent beside a pool's member: looks whether its services answer, and tells the controller."""
