"""The passwords that everybody tries first: the 30,000 most frequent ones of the zxcvbn project."""

from functools import cache


def is_common(password: str) -> bool:
    """Whether it is one of them, in whatever case."""
    return password.lower() in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    """Read when the first password is checked: it takes 20 ms and 14 MiB, which commands need not spend."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
