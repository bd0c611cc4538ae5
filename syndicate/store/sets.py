"""What the two databases say differently in a query: sets of values, and the order of texts.

A set is one bound parameter, so that a statement is the same text for one id and for a thousand.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, any_, collate, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam
from sqlalchemy.types import TypeEngine

from syndicate.store.tables import Json


def among(
    connection: AsyncConnection, column: ColumnElement[object], values: Iterable[int] | Iterable[str]
) -> ColumnElement[bool]:
    """`column` is one of `values`: json_each on SQLite, ANY(array) on PostgreSQL."""
    listed = list(values)
    if connection.dialect.name == "sqlite":
        rows = func.json_each(bindparam(None, listed, type_=Json(), unique=True)).table_valued("value")
        return column.in_(select(rows.c.value))
    kind: TypeEngine[object] = column.type
    return column == any_(bindparam(None, listed, type_=ARRAY(kind), unique=True))


def by_code_point(connection: AsyncConnection, column: ColumnElement[str]) -> ColumnElement[str]:
    """`column` to be put in order as Python and SQLite do it, whatever collation a PostgreSQL was made with."""
    return column if connection.dialect.name == "sqlite" else collate(column, "C")
