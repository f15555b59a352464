"""The table of faults in the documents is that of the tests."""

import ast

from tests.docs.pages import ROOT


def marks():
    """What the tests say of their faults: (fault, injected how, seen, recovered in)."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for call in getattr(node, "decorator_list", ()):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault":
                    yield tuple(ast.literal_eval(argument) for argument in call.args)


def test_every_fault_that_has_a_test_stands_in_the_documents_and_no_other():
    lines = (ROOT / "docs/faults.md").read_text(encoding="utf-8").partition("## Months")[0].splitlines()
    listed = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("| ")]
    assert sorted(listed[2:]) == sorted(set(marks()))
