"""A listing made from a template: values are copied, with the labels of the listing form (docs/spec/domain.md 6.7)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import cas_taxonomy
from cas_fields.money import Money
from cas_fields.reading import Json, Refused, unique
from cas_kit.errors import DomainError, Kind
from cas_listings.domain.fields import DESCRIPTION, FIELDS, LISTED, TAG
from cas_listings.domain.listing import Fields
from cas_listings.domain.roles import Role
from cas_taxonomy import Surface

FREE_TEXT = 32  # characters of a text outside the taxonomy, docs/spec/domain.md 2.1


class NoTemplate(DomainError):
    kind = Kind.NOT_FOUND
    code = "no-template"
    sentence = "There is no template for this role yet. Save your professional info first."


@dataclass(frozen=True, slots=True)
class Template:
    """Somebody's professional info in one role; amounts in minor units. What was never answered is absent.

    :param answers: texts, lists of texts and availability, by the names of the template.
    """

    answers: Mapping[str, Json]
    hourly_rate: int | None = None
    lowest_rate: int | None = None
    highest_rate: int | None = None


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The fields a template fills, as they are stored, and the texts that a listing cannot hold."""

    values: Fields
    unresolved: tuple[str, ...]


@dataclass(slots=True)
class _Copy:
    """A copy under way."""

    template: Template
    values: Fields = field(default_factory=dict)
    unresolved: list[str] = field(default_factory=list)

    def texts(self, name: str) -> list[str]:
        answered = self.template.answers.get(name)
        return [text for text in answered if isinstance(text, str)] if isinstance(answered, list) else []

    def text(self, name: str) -> str:
        answered = self.template.answers.get(name)
        return answered if isinstance(answered, str) else ""

    def put(self, name: str, value: Json) -> None:
        """Fill a field; empty values are not copied."""
        if value not in (None, "", [], {}):
            self.values[name] = value

    def put_list(self, name: str, texts: Iterable[str], *, longest: int) -> None:
        """Fill a list with what fits; the rest is named as unresolved."""
        kind = FIELDS[name].kind
        fitting: list[str] = []
        for text in texts:
            known = kind is not None and cas_taxonomy.resolve(kind, text) is not None
            (fitting if known or len(text) <= longest else self.unresolved).append(text)
        kept: list[Json] = [*unique(fitting, kind=kind)]
        self.put(name, kept[:LISTED])

    def put_options(self, name: str, source: str) -> None:
        """Fill a list of a kind with the labels of the listing form."""
        kind = str(FIELDS[name].kind)
        relabelled = [cas_taxonomy.relabel(kind, text, Surface.LISTING) for text in self.texts(source)]
        self.put_list(name, relabelled, longest=FREE_TEXT)

    def put_levels(self, texts: Iterable[str]) -> None:
        """Fill the levels; what is no option is named as unresolved."""
        self.put_list(
            "levels", [cas_taxonomy.relabel("levels", text, Surface.LISTING) for text in texts], longest=0
        )


def prefill(role: Role, template: Template) -> Prefilled:
    """What a listing in this role takes over from the template."""
    copy = _Copy(template)
    _MAPPINGS[role](copy)
    return Prefilled(copy.values, tuple(dict.fromkeys(copy.unresolved)))


def _tutor(copy: _Copy) -> None:
    copy.put_options("subjects", "subjects")
    copy.put_levels(copy.texts("levels"))
    copy.put("teaching_experience", _experience("experience-bands", copy.text("teaching_experience")))
    copy.put_options("teaching_methods", "teaching_methods")
    copy.put_options("specializations", "specializations")
    copy.put_list("qualifications", copy.texts("qualifications"), longest=200)
    copy.put("availability", copy.template.answers.get("availability"))
    copy.put("hourly_rate", copy.template.hourly_rate)
    copy.put("hourly_rate_min", copy.template.lowest_rate)
    copy.put("hourly_rate_max", copy.template.highest_rate)
    copy.put("location_type", _location(copy.texts("session_types")))


def _client(copy: _Copy) -> None:
    copy.put_options("subjects", "subjects")
    copy.put_levels(filter(None, [copy.text("education_level")]))
    lowest, _, highest = copy.text("budget_range").partition("-")
    copy.put("hourly_rate_min", _amount(lowest))
    copy.put("hourly_rate_max", _amount(highest))
    methods = [_method(text) for text in copy.texts("learning_preferences")]
    copy.put_list("teaching_methods", methods, longest=FREE_TEXT)
    copy.put_list("tags", _labels("learning-goals", copy.texts("learning_goals")), longest=TAG)
    copy.put("description", cut_at_word(copy.text("additional_info")))
    copy.put("availability", copy.template.answers.get("availability"))


def _agent(copy: _Copy) -> None:
    copy.put_options("subjects", "subject_specializations")
    copy.put_levels(copy.texts("education_levels"))
    services = _labels("agency-services", copy.texts("services"))
    areas = _labels("coverage-areas", copy.texts("coverage_areas"))
    copy.put_list("tags", [*services, *areas], longest=TAG)
    copy.put("description", cut_at_word(copy.text("description")))
    copy.put("teaching_experience", _experience("years-in-business", copy.text("years_in_business")))


_MAPPINGS: Mapping[Role, Callable[[_Copy], None]] = {
    Role.TUTOR: _tutor,
    Role.CLIENT: _client,
    Role.AGENT: _agent,
}


def _experience(kind: str, text: str) -> str:
    """The band of the listing form that holds this one's lower bound; other texts stay."""
    entry = cas_taxonomy.resolve(kind, text)
    band = cas_taxonomy.convert_band("experience-bands", entry, Surface.LISTING) if entry else None
    return cas_taxonomy.label_for(band, Surface.LISTING) if band else text


def _location(session_types: Iterable[str]) -> str | None:
    """Where lessons take place: online, in person, or both, which is called hybrid."""
    entries = (cas_taxonomy.resolve("session-types", text) for text in session_types)
    places = {entry.wire for entry in entries if entry} & {"online", "in_person"}
    return "hybrid" if len(places) > 1 else next(iter(places), None)


def _method(preference: str) -> str:
    """The teaching method that serves a learning preference."""
    entry = cas_taxonomy.resolve("learning-preferences", preference)
    for method in cas_taxonomy.related(entry) if entry else ():
        if method.kind == "teaching-methods":
            return cas_taxonomy.label_for(method, Surface.LISTING)
    return preference


def _labels(kind: str, texts: Iterable[str]) -> list[str]:
    return [cas_taxonomy.relabel(kind, text, Surface.LISTING) for text in texts]


def _amount(text: str) -> int | None:
    try:
        return Money()(text) if text else None
    except Refused:
        return None


def cut_at_word(text: str) -> str:
    """The text, cut at the end of a word where it is longer than a description may be."""
    if len(text) <= DESCRIPTION:
        return text
    head = text[:DESCRIPTION]
    at_word = head if text[DESCRIPTION].isspace() else head.rpartition(" ")[0]
    return (at_word or head).rstrip()
