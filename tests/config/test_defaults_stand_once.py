"""A default of the settings is written in the settings, and nowhere a second time."""

import ast
from pathlib import Path

import pytest

from edge.config.schema import field, keys
from edge.config.sources import tomllib

ROOT = Path(__file__).parents[2]
NEUTRAL = (None, "", 0, False, "auto", "none")
"""Values that say "nothing chosen" in any signature."""
OWN = {"edge/cameras/synthetic.py": "the drawn scene has a size of its own, without any settings"}


def literals(path):
    """Function, parameter and default, for every default that is a literal; fields of classes too."""
    for node in ast.walk(ast.parse(path.read_text())):
        pairs = []
        if isinstance(node, ast.FunctionDef):
            named = node.args.args[len(node.args.args) - len(node.args.defaults) :]
            pairs = [*zip(named, node.args.defaults, strict=True)]
            pairs += [*zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
            pairs = [(argument.arg, value) for argument, value in pairs if value]
        elif isinstance(node, ast.ClassDef):
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
            pairs = [(one.target.id, one.value) for one in fields if one.value]
        for name, value in pairs:
            try:
                yield f"{node.name}({name})", name, ast.literal_eval(value)
            except ValueError:
                continue


def test_no_signature_repeats_a_default_of_the_settings():
    defaults = {}
    for key in keys():
        defaults.setdefault(key[-1], []).append(field(key).get_default(call_default_factory=True))
    twice = [
        f"{path.relative_to(ROOT)}: {where} = {value!r}"
        for path in sorted((ROOT / "edge").rglob("*.py"))
        if "config" not in path.relative_to(ROOT).parts and str(path.relative_to(ROOT)) not in OWN
        for where, name, value in literals(path)
        if value not in NEUTRAL and value in defaults.get(name, ())
    ]
    assert twice == []


def test_the_search_finds_a_second_default(tmp_path):
    (tmp_path / "a.py").write_text("class A:\n    most: int = 500\n    def b(self, c, every=10.0, *, d=f()): ...\n")
    assert list(literals(tmp_path / "a.py")) == [("A(most)", "most", 500), ("b(every)", "every", 10.0)]


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_a_first_configuration_says_only_what_differs(path):
    if path.stem in ("classifier", "convert", "detector"):
        pytest.skip("a configuration of the workstation")

    def flat(values, above=()):
        for name, value in values.items():
            yield from flat(value, (*above, name)) if isinstance(value, dict) else [((*above, name), value)]

    for key, value in flat(tomllib.loads(path.read_text())):
        assert value != field(key).get_default(call_default_factory=True), ".".join(key)


def test_no_module_writes_the_labels_in_an_order_of_its_own():
    from edge.core import labels

    names = set(labels.CATEGORIES)
    ordered = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("edge", "train", "convert")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Tuple | ast.List | ast.Dict)
        and len([n for n in ast.iter_child_nodes(node) if isinstance(n, ast.Constant) and n.value in names]) > 1
    ]
    assert [place for place in ordered if not place.startswith("edge/core/labels.py")] == []
