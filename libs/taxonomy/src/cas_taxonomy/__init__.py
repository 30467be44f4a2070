"""The canonical option lists of the marketplace."""

from cas_taxonomy.bands import COMMISSION_CHOICES, convert_band, rate_range, relabel
from cas_taxonomy.document import EntryDocument, TaxonomyDocument, as_document, version
from cas_taxonomy.entry import Entry, Surface, Window
from cas_taxonomy.errors import TaxonomyDataInvalid, UnknownKind
from cas_taxonomy.loading import KINDS
from cas_taxonomy.lookup import (
    ancestors,
    deduplicate,
    descendants,
    entries,
    label_for,
    matching,
    offered,
    related,
    resolve,
)
from cas_taxonomy.normalisation import normalise
from cas_taxonomy.roles import ROLE_NAMES, Role, find_role

__all__ = [
    "COMMISSION_CHOICES",
    "KINDS",
    "ROLE_NAMES",
    "Entry",
    "EntryDocument",
    "Role",
    "Surface",
    "TaxonomyDataInvalid",
    "TaxonomyDocument",
    "UnknownKind",
    "Window",
    "ancestors",
    "as_document",
    "convert_band",
    "deduplicate",
    "descendants",
    "entries",
    "find_role",
    "label_for",
    "matching",
    "normalise",
    "offered",
    "rate_range",
    "relabel",
    "related",
    "resolve",
    "version",
]
