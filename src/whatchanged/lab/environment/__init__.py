"""Sandboxes: the contract, and the machines that keep it."""
