# SPDX-License-Identifier: Apache-2.0
"""Design rules that are checked on the design itself, before Verilog hides who meant what.

Generated Verilog is full of harmless width differences and unused names, so the linters' rules for
them are waived there (`hdl/lint.vlt`) and kept here.
"""

from .design_rules import check, findings_of
from .finding import Finding

__all__ = ["Finding", "check", "findings_of"]
