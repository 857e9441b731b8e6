"""What the ORM knows of the queries that it makes by itself.

Read from the options that a query carries through its execution, because a listener that gets them
handed (``do_orm_execute``) makes each query of a session 40 µs slower. Their names are SQLAlchemy's own and may
change: then nothing is known, and findings name a statement where they would name a relationship.
"""

from __future__ import annotations

from typing import Any

from stethoscope.instruments.database.detection import Loader


def describe(context: Any) -> Loader | None:
    """Why the ORM made the query of this execution context; None where the app made it."""
    try:
        options = context.execution_options.get("_sa_orm_load_options")
        if options is None:
            return None
        if options._lazy_loaded_from is not None:
            return _of_relationship(context.invoked_statement._compile_options._current_path.prop)
        if options._refresh_state is not None:
            return _of_refresh(options._refresh_state, context.invoked_statement._compile_options._only_load_props)
    except Exception:
        pass
    return None


def _of_relationship(relationship: Any) -> Loader:
    owner = relationship.parent.class_.__name__
    return Loader("lazy", f"{owner}.{relationship.key}", bool(relationship.uselist))


def _of_refresh(state: Any, attributes: Any) -> Loader:
    """Of attributes that were expired, by a commit or otherwise, or of columns that were not loaded before."""
    name = state.class_.__name__
    if attributes and not state.expired:
        return Loader("columns", f"{name}.{min(attributes)}")
    return Loader("refresh", name)
