# SPDX-License-Identifier: Apache-2.0
"""`python -m cimple.host`: the command line without its script."""

from .cli import main

if __name__ == "__main__":
    main()
