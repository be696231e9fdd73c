"""The agent beside a pool member: checks whether its services answer, and reports to the controller."""
