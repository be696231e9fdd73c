"""Tests of the lab, and of the whole edge in the lab."""
