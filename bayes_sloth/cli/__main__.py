"""`python -m bayes_sloth.cli` is `bayes-sloth`."""

from __future__ import annotations

from bayes_sloth.cli.commands import main

if __name__ == "__main__":
    main()
