"""From files and frames of any form to valid cells: one module for each thing that can be wrong."""
