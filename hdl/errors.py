# SPDX-License-Identifier: Apache-2.0
"""The exceptions that stand for a user's mistake."""


class CimpleError(Exception):
    """Something the user can put right: bad input, a missing tool, a full disk.

    The text is one clear message that names the field or file, the value, what is allowed and
    the cure. The command line prints it without a traceback and exits with a code other than 0.
    """


class ConfigError(CimpleError):
    """A configuration that cannot be built; one line for each thing that is wrong with it."""
