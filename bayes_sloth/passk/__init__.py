"""Test-time compute: how often one of k samples solves an item, for models that do not exist yet too."""
