"""The operations of Amazon Personalize, a module per resource.

A handler is ``handler(context, request) -> answer``: plain dictionaries with the wire's own member names. The
request's shape is already checked when a handler runs; the handler says what must hold, what changes and
which job starts, in one metadata transaction. `registry` lists all of them.
"""
