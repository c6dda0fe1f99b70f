"""Errors of the domain. Each entry point maps them to its own error answers in one table."""


class DomainError(Exception):
    """A rule of the domain refused; the message is one sentence for a person."""


class BadContract(DomainError):
    """The contract file can't be used."""


class BadBundle(DomainError):
    """A serving bundle is damaged, forged or of another format."""


class BadWindow(DomainError):
    """A monitoring window can't be read."""


class BadKey(DomainError, ValueError):
    """An object key or identifier doesn't follow the layout."""


class BadRecord(DomainError, ValueError):
    """A stored record (pointer, ledger entry, summary, ...) can't be decoded."""
