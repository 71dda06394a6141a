# SPDX-License-Identifier: Apache-2.0
"""What a bench inside a simulation and the process that started it agree on."""

__all__ = ["CONFIG_VARIABLE", "EVENTS_VARIABLE"]

#: Environment variable with the path of the configuration's YAML file.
CONFIG_VARIABLE = "CIMPLE_BENCH_CONFIG"

#: Environment variable with the path of a file that gets a JSON line when a case starts (``case``
#: and ``outcome: started``) and when it ends (``outcome`` passed or failed, ``seconds``).
EVENTS_VARIABLE = "CIMPLE_BENCH_EVENTS"
