"""Alembic's environment: no ini file, no engine of its own.

`cdr/migrating.py` hands over the connection, whose transaction spans all migrations: SQLite
can roll back a changed table, so that a crash in the middle leaves the old ones.
"""

from alembic import context

from cdr.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # ALTER TABLE of SQLite can do little: tables are copied where need be.
    render_as_batch=True,
    transactional_ddl=True,
)

with context.begin_transaction():
    context.run_migrations()
