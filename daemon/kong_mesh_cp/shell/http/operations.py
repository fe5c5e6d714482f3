"""What a listener's own document says of a route; it stands beside the route (docs/adr/0013)."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. Schemas and query parameters go by their names in the document.

    What follows from path, method and the two flags is not said again: the parameters of the
    path, and how a request is refused that does not get to the route's own code.
    """

    id: str  # camelCase, unique in the document; clients call their functions so
    summary: str
    tag: str
    answers: tuple[str, ...] = ()  # schemas of the body of a 200; () for one without a schema
    answer_type: str = JSON
    answers_as_text: bool = False  # or else, as it is asked
    takes: str = ""  # schema of the body of the request; "" for none
    creates: bool = False  # 201 where it made something new
    query: tuple[str, ...] = ()
    refuses: tuple[int, ...] = ()  # with an error object, beyond what follows
    negotiates: bool = True  # sends and takes only JSON
    authenticates: bool = True  # reads the token of the user who asks
    description: str = ""
