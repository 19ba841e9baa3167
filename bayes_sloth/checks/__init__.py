"""Checks of a fit beyond convergence, one module each: a table, a verdict, what to do."""
