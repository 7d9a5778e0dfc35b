"""Run ``python -m medkd`` as the command `medkd`."""

import sys

from medkd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
