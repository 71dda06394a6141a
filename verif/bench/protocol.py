# SPDX-License-Identifier: Apache-2.0
"""What a bench inside a simulation and the process that started it agree on."""

__all__ = ["CONFIG_VARIABLE", "EVENTS_VARIABLE"]

#: Environment variable with the path of the configuration's YAML file.
CONFIG_VARIABLE = "CIMPLE_BENCH_CONFIG"

#: Environment variable with the path of a file that gets JSON lines: when a case starts (``case``,
#: ``outcome: started``), when it ends (``outcome`` passed or failed, ``seconds``), and every few
#: seconds in which simulated time went on (``alive``).
EVENTS_VARIABLE = "CIMPLE_BENCH_EVENTS"
