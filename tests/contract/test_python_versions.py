"""Every package that is pinned can be installed with the oldest Python 3.11 that is in use: that of Debian 12."""

from importlib.metadata import distributions

from packaging.specifiers import SpecifierSet

DEBIAN_12 = "3.11.2"


def test_what_is_installed_takes_the_python_of_debian_12():
    wanted = {
        f"{one.name} {one.version}": one.metadata["Requires-Python"]
        for one in distributions()
        if one.metadata["Requires-Python"]
    }
    assert len(wanted) > 100  # this environment has what is pinned for the functions, the tests and the site
    assert {name: want for name, want in wanted.items() if DEBIAN_12 not in SpecifierSet(want)} == {}
