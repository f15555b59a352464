"""What `maskcam-convert` says before it needs TensorFlow."""

import pytest

from convert import cli


@pytest.mark.parametrize("name", ["classifier", "detector"])
def test_a_network_that_is_not_there_is_named_itself(name, tmp_path, capsys):
    assert cli.main(["bundle", f"--{name}", str(tmp_path / "nope")]) == 2
    said = capsys.readouterr().err
    assert f"--{name} {tmp_path / 'nope'}: no such file or folder; expected a .keras file, the folder of a" in said
    assert said.count("\n") == 1
