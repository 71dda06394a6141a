# SPDX-License-Identifier: Apache-2.0
"""Whether a mutant is the same circuit as its design, proven by Yosys."""

from .mutants import Mutation, MutationBase

__all__ = ["is_equivalent"]

#: Only registers and ports are compared: what lies between them may differ and not matter.
_HALF = """\
read_rtlil base.il
{change}
hierarchy -top {top}
flatten
memory_map
opt_clean
select -set state t:$*dff* %co1:+[Q] w:* %i
select -set hidden w:* @state %d
rename -hide @hidden
rename {top} {half}
design -stash {half}
"""

_COMPARE = """\
design -copy-from gold gold
design -copy-from gate gate
equiv_make gold gate equiv
hierarchy -top equiv
opt_clean -purge
equiv_simple -undef
equiv_induct -undef
tee -q -o status.txt equiv_status
"""


def is_equivalent(base: MutationBase, mutation: Mutation) -> bool:
    """Whether every register and port of the mutant always has the value it has in the design.

    Proven by induction from any state in which they agree, for any inputs. False where there is no
    such proof, which does not mean that the mutant can be told from the design: senders that keep
    the rules of streams may never show the difference.
    """
    halves = [
        _HALF.format(top=base.top, half=half, change=change)
        for half, change in (("gold", ""), ("gate", f"mutate {mutation.options}"))
    ]
    (status,) = base.run("".join([*halves, _COMPARE]), {"base.il": base.rtlil}, ["status.txt"])
    return "Equivalence successfully proven!" in status
