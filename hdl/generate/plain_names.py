# SPDX-License-Identifier: Apache-2.0
"""Plain names for everything in a design: letters, digits and underscores.

Amaranth names a field `tag.valid`, an element `leaves[0]`, a module `macro.writer` and the second
of two equal names `enable$2`. Verilog can write them with a backslash, but tools mistake them for
hierarchy, bit selects and names of their own: synthesis by Yosys 0.70 ends in failed assertions.
Reserved words of Verilog are replaced too.
"""

import re

from .names import RESERVED

__all__ = ["plain_names"]

# A name in RTLIL, also inside a string, where its backslash is doubled.
_NAME = re.compile(r'\\([^\s"\\]+)')


def plain_names(rtlil: str) -> str:
    """The same RTLIL with every name that is not plain replaced: `tag_valid`, `leaves_0`.

    Names that become equal are numbered, so no two things share one. The top module and its ports
    must have plain names already, as others know them by these.
    """
    names = dict.fromkeys(_NAME.findall(rtlil))
    taken = {name for name in names if re.fullmatch(r"\w+", name) and name not in RESERVED}
    replacements: dict[str, str] = {}
    for name in names:
        if name not in taken:
            wanted = f"{name}_" if name in RESERVED else re.sub(r"\W+", "_", name).rstrip("_")
            replacements[name] = _free(wanted, taken)
            taken.add(replacements[name])
    return _NAME.sub(lambda found: f"\\{replacements.get(found[1], found[1])}", rtlil)


def _free(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first numbered form of it that is free."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
