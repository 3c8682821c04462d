"""The people of one batch: who each message means, and what becomes of them; pure, the database is read before and
written after.

Who is meant:
- A user id names one contact for good; an unknown one makes a contact.
- An anonymous id that comes with a user id becomes part of that person. If it is already somebody else's (two people on
  one device), it stays theirs and the message goes to the user id.
- An e-mail address belongs to the contact that gave it first; a second user with the same one stays a second contact.
  But a contact that never had a user id (a newsletter list) is the person who signs up with its address. A phone number
  says that only of a contact without an address, for families share phones. Only a server's word counts for this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.consent.address import fold_address
from engine.run.profile import COLUMNS, Profile
from engine.store.contacts import ContactRow, Identity


@dataclass(eq=False, slots=True)
class Person:
    """A contact while a batch is taken in. `id` is None until a new one is written; `joined`: the one it was merged into."""

    id: int | None
    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    traits: dict[str, Any] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)  # names of what is other than before, in order, each once
    joined: Person | None = None
    lived_in: str | None = None  # the time zone before this batch

    def final(self) -> Person:
        """This person, or the one that it has become."""
        return self if self.joined is None else self.joined.final()

    def number(self) -> int:
        """The id, once written."""
        assert self.id is not None
        return self.id

    def row(self) -> ContactRow:
        return ContactRow(self.number(), self.user_id, self.email, self.phone, self.locale, self.timezone, self.traits)

    def set_column(self, name: str, value: str | None) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            self.mark(name)

    def set_trait(self, name: str, value: Any) -> None:
        """None removes. `1`, `1.0` and `true` are told apart, as JSON does."""
        old = self.traits.get(name)
        if old == value and type(old) is type(value):
            return
        if value is None:
            del self.traits[name]
        else:
            self.traits[name] = value
        self.mark(name)

    def mark(self, name: str) -> None:
        if name not in self.changed:
            self.changed.append(name)


class People:
    """Begins with who owns the identities that a batch names, and with their locked rows."""

    def __init__(self, owners: Mapping[Identity, int], rows: Iterable[ContactRow]) -> None:
        self._everybody = [
            Person(r.id, r.user_id, r.email, r.phone, r.locale, r.timezone, dict(r.traits), lived_in=r.timezone)
            for r in rows
        ]
        by_id = {person.id: person for person in self._everybody}
        self._stored = {identity: by_id[contact_id] for identity, contact_id in owners.items()}
        self._owners = dict(self._stored)

    def meant(self, user_id: str | None, anonymous_id: str | None, hints: Sequence[Identity] = ()) -> Person:
        """The person a message is about; `hints` are addresses that may tell, e-mail first."""
        anonymous = self._owner(("anonymous_id", anonymous_id)) if anonymous_id is not None else None
        person: Person | None
        if user_id is not None:
            person = self._owner(("user_id", user_id))
            if person is None and anonymous is not None and anonymous.user_id is None:
                person = anonymous
        elif anonymous_id is not None:
            person = anonymous
        else:
            person = self._named(hints)
        person = person or self._unclaimed(hints) or self._new()
        if user_id is not None and person.user_id is None:
            person.set_column("user_id", user_id)
            self._owners[("user_id", user_id)] = person
        if anonymous_id is not None and anonymous is None:
            self._owners[("anonymous_id", anonymous_id)] = person
        for other in (anonymous, self._unclaimed(hints)):
            if other is not None and other.final().user_id is None:
                person = self._joined(person, other.final())
        return person

    def alias(self, previous_id: str, user_id: str, *, any_previous: bool) -> Person | None:
        """Make `previous_id` (a user id, else an anonymous id) the same person as `user_id`, which stays the contact's
        user id. None: the previous one is a known user, and only a server may say who that is now (`any_previous`).
        """
        previous = self._owner(("user_id", previous_id)) or self._owner(("anonymous_id", previous_id))
        kept = self._owner(("user_id", user_id))
        if previous is None:
            person = kept or self.meant(user_id, None)
            self._owners[("anonymous_id", previous_id)] = person
            return person
        if previous is kept:
            return kept
        if previous.user_id is not None and not any_previous:
            return None
        if kept is not None:
            self._take_over(kept, previous)
            return kept
        previous.set_column("user_id", user_id)
        self._owners[("user_id", user_id)] = previous
        return previous

    def apply(self, person: Person, profile: Profile) -> None:
        """Write what is said of the person, and keep its e-mail address and phone number findable."""
        for name, value in profile.traits.items():
            person.set_trait(name, value)
        for name, column in profile.columns.items():
            before = getattr(person, name)
            person.set_column(name, column)
            match name:
                case "email" | "phone":
                    self._readdress(person, name, before, column)
        for name, fill in profile.fills.items():
            if getattr(person, name) is None and name not in person.traits:
                person.set_column(name, fill)

    def new(self) -> list[Person]:
        """Those to be created, in the order in which they appeared; they have no id yet."""
        return [person for person in self._everybody if person.id is None and person.joined is None]

    def changed(self) -> list[Person]:
        """Those that are other than before, new ones included."""
        return [person for person in self._everybody if person.changed and person.joined is None]

    def merges(self) -> dict[int, int]:
        """Stored contacts that became part of another one: gone -> survivor."""
        return {p.id: p.final().number() for p in self._everybody if p.joined is not None and p.id is not None}

    def detached(self) -> list[tuple[Identity, int]]:
        """Identities to take from contacts, once those that became part of another one have been merged."""
        return [
            (identity, person.final().number())
            for identity, person in self._stored.items()
            if self._owner(identity) is not person.final()
        ]

    def attached(self) -> list[tuple[Identity, int]]:
        """Identities to give to contacts; everybody has an id by now."""
        return [
            (identity, person.final().number())
            for identity, person in self._owners.items()
            if identity not in self._stored or self._stored[identity].final() is not person.final()
        ]

    def _owner(self, identity: Identity) -> Person | None:
        person = self._owners.get(identity)
        return person.final() if person is not None else None

    def _new(self) -> Person:
        person = Person(None, changed=["created"])
        self._everybody.append(person)
        return person

    def _named(self, hints: Sequence[Identity]) -> Person | None:
        return next((owner for hint in hints if (owner := self._owner(hint)) is not None), None)

    def _unclaimed(self, hints: Sequence[Identity]) -> Person | None:
        for kind, value in hints:
            owner = self._owner((kind, value))
            if owner is None or owner.user_id is not None or (kind == "phone" and owner.email is not None):
                continue
            address = owner.email if kind == "email" else owner.phone
            if address is not None and fold_address(kind, address) == value:
                return owner
        return None

    def _joined(self, person: Person, other: Person) -> Person:
        """The two as one: the known user stays, of two unknown ones the older."""
        if person is other:
            return person
        if person.user_id is None and other.id is not None and (person.id is None or other.id < person.id):
            person, other = other, person
        self._take_over(person, other)
        return person

    def _take_over(self, survivor: Person, gone: Person) -> None:
        for name, value in gone.traits.items():
            if name not in survivor.traits:
                survivor.set_trait(name, value)
        for name in ("user_id", *COLUMNS):
            if getattr(survivor, name) is None:
                survivor.set_column(name, getattr(gone, name))
        survivor.mark("merged")
        gone.joined = survivor

    def _readdress(self, person: Person, kind: Literal["email", "phone"], before: str | None, now: str | None) -> None:
        old: Identity | None = (kind, fold_address(kind, before)) if before is not None else None
        new: Identity | None = (kind, fold_address(kind, now)) if now is not None else None
        if old is not None and old != new:
            self._stored.setdefault(old, person)  # a batch does not ask for the address that it replaces
            if self._owners.get(old, person).final() is person:
                self._owners.pop(old, None)
        if new is not None and new not in self._owners:
            self._owners[new] = person
