"""Measuring a project under load, and rehearsing what will happen to it."""
