"""``python -m hyperspy_cvae.cli``, where the command itself is not on the path."""

import sys

from hyperspy_cvae.cli import main

if __name__ == "__main__":
    sys.exit(main())
