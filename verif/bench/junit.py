# SPDX-License-Identifier: Apache-2.0
"""Results as JUnit XML, as CI services read it."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from ...hdl.errors import CimpleError
from .run import BenchCase, BenchRun

__all__ = ["Suite", "junit_xml", "write_junit"]

#: What XML cannot hold, even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_OUTPUT_CHARACTERS = 60_000


@dataclass(frozen=True)
class Suite:
    """One simulation as a test suite."""

    name: str
    module: str
    """Name of the bench module, which becomes the cases' class name."""
    properties: Mapping[str, str]
    run: BenchRun


def junit_xml(suites: Iterable[Suite]) -> str:
    """The XML text: a test suite for each simulation, a test case for each case."""
    root = Element("testsuites", name="cimple verify")
    for suite in suites:
        root.append(_suite_element(suite))
    for count in ("tests", "failures", "skipped", "time"):
        total = sum(float(element.get(count, 0)) for element in root)
        root.set(count, f"{total:.3f}" if count == "time" else f"{total:.0f}")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def write_junit(path: Path, suites: Iterable[Suite]) -> None:
    """Write the XML text, whole or not at all.

    Raises:
        CimpleError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(junit_xml(suites), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror
        if isinstance(error, FileExistsError):
            reason = f"{path.parent} is not a directory"
        raise CimpleError(f"{path}: cannot be written: {reason}; choose another file") from None


def _suite_element(suite: Suite) -> Element:
    cases = suite.run.cases
    element = Element(
        "testsuite",
        name=suite.name,
        tests=str(len(cases)),
        failures=str(sum(case.outcome == "failed" for case in cases)),
        errors="0",
        skipped=str(sum(case.outcome == "skipped" for case in cases)),
        time=f"{sum(case.seconds for case in cases):.3f}",
    )
    properties = SubElement(element, "properties")
    for name, value in suite.properties.items():
        SubElement(properties, "property", name=name, value=value)
    for case in cases:
        element.append(_case_element(case, suite.module))
    if not suite.run.passed:
        output = _FORBIDDEN.sub("?", suite.run.output[-_OUTPUT_CHARACTERS:])
        SubElement(element, "system-out").text = output
    return element


def _case_element(case: BenchCase, module: str) -> Element:
    element = Element(
        "testcase", classname=module, name=case.name, time=f"{case.seconds:.3f}"
    )
    if case.outcome == "failed":
        text = _FORBIDDEN.sub("?", case.message)
        SubElement(element, "failure", message=text.partition("\n")[0]).text = text
    elif case.outcome == "skipped":
        SubElement(element, "skipped")
    return element
