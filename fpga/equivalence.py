# SPDX-License-Identifier: Apache-2.0
"""Whether a mutant is the same circuit as its design, proven by Yosys."""

import re
from subprocess import TimeoutExpired

from .mutants import Mutation, MutationBase

__all__ = ["is_equivalent"]

#: Only bits of registers and ports are compared: what lies between them may differ and not matter.
_HALF = """\
read_rtlil base.il
{change}
hierarchy -top {top}
flatten
memory_map
opt_clean
splitnets -format .
select -set state t:$*dff* %co1:+[Q] w:* %i
select -set hidden w:* @state %d
rename -hide @hidden {ignored}
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
tee -q -o outputs.txt select -list equiv/o:*
"""

#: Seconds for one attempt; where registers agree, seconds will do.
_TIMEOUT = 120.0

_UNPROVEN = re.compile(r"Unproven \$equiv \S+: \\?(\S+)_gold")


def is_equivalent(base: MutationBase, mutation: Mutation) -> bool:
    """Whether every output of the mutant always has the value it has in the design.

    Proven by induction over five cycles from any state in which the registers agree, for any
    inputs. Bits of registers that do not agree are left out of that and the proof is tried again,
    as long as they are no outputs: a value that nothing uses may differ. False where there is no
    proof, which does not mean that the mutant can be told from the design: senders that keep the
    rules of streams, and states that are never reached, may not show the difference.
    """
    ignored: set[str] = set()
    while True:
        try:
            unproven, outputs = _compare(base, mutation, ignored)
        except TimeoutExpired:
            return False
        if not unproven:
            return True
        if unproven & outputs or unproven <= ignored:
            return False
        ignored |= unproven


def _compare(
    base: MutationBase, mutation: Mutation, ignored: set[str]
) -> tuple[set[str], set[str]]:
    """The registers and outputs that are not proven to agree, and all outputs."""
    names = " ".join(f"w:{name}" for name in sorted(ignored))
    halves = [
        _HALF.format(top=base.top, half=half, change=change, ignored=names)
        for half, change in (("gold", ""), ("gate", f"mutate {mutation.options}"))
    ]
    status, outputs = base.run(
        "".join([*halves, _COMPARE]), {"base.il": base.rtlil}, ["status.txt", "outputs.txt"],
        timeout=_TIMEOUT,
    )
    return set(_UNPROVEN.findall(status)), {line.split("/")[-1] for line in outputs.split()}
