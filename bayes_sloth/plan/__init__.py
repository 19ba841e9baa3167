"""Decisions: which size reaches a target, how to spend a budget, what to measure next."""
