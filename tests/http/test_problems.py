from __future__ import annotations

from collections.abc import Iterator

import pytest

from paraph import errors
from paraph.http.problems import problem_of


def kinds(
    root: type[errors.ParaphError] = errors.ParaphError,
) -> Iterator[type[errors.ParaphError]]:
    """Every class of the tree."""
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


# A host may name errors of its own below ours, as `paraph.client` does: they reach no face.
ALL = sorted(
    {kind for kind in kinds() if kind.__module__.startswith(f"{errors.__name__}.")},
    key=lambda kind: kind.__name__,
)


def make(kind: type[errors.ParaphError]) -> errors.ParaphError:
    """An instance, whatever its constructor wants."""
    for arguments in (("a detail with id 123",), (["a problem"],), (503,), (503, "refused")):
        try:
            return kind(*arguments)
        except (TypeError, AttributeError):
            continue
    raise AssertionError(f"{kind.__name__} cannot be made")


def test_codes_are_stable_names_of_one_class_each() -> None:
    """A code says which class it was: no two classes define the same one."""
    codes = [kind.code for kind in ALL if "code" in vars(kind)]

    assert sorted(set(codes)) == sorted(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_public_face_shows_no_detail(kind: type[errors.ParaphError]) -> None:
    """A browser sees the class's own sentence and a remedy, never the operators' detail."""
    error = make(kind)
    problem = problem_of(error)

    assert error.public_message == problem.title
    assert problem.title.endswith(".") and problem.remedy
    assert "123" not in problem.title + problem.remedy


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_what_others_do_wrong_is_never_a_500(kind: type[errors.ParaphError]) -> None:
    """A 500 is our own mistake; a peer, a caller, a network or a full disk has another answer."""
    if issubclass(kind, errors.ConfigurationError):
        return
    assert 500 != problem_of(make(kind)).status


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The drawing at the top of errors.py names every class."""
    assert [] == [kind.__name__ for kind in ALL if kind.__name__ not in (errors.__doc__ or "")]
