"""The log of deleted records: it remembers ids that the recycle bin has forgotten."""

from __future__ import annotations

#: What the log holds, and since when. SystemModstamp of the deletion is the time at which a record was deleted.
TABLES = (
    'CREATE TABLE IF NOT EXISTS "delete log" (sobject TEXT, id TEXT, deleted TEXT, PRIMARY KEY (sobject, id))',
    'CREATE TABLE IF NOT EXISTS "delete log start" (at TEXT)',
)
ENTRIES = 'SELECT id, deleted FROM "delete log" WHERE sobject = ? AND deleted >= ? AND deleted < ? ORDER BY deleted, id'
START = 'SELECT max(at) FROM "delete log start"'
TRIM = ('DELETE FROM "delete log"', 'INSERT INTO "delete log start" VALUES (?)')


def triggers(table: str, name: str) -> tuple[str, str]:
    """Return the SQL by which a table keeps the log.

    :param table: the table as an SQL identifier.
    :param name: the object's name.
    """
    text = name.replace("'", "''")
    changed = f"AFTER UPDATE OF IsDeleted ON {table} WHEN OLD.IsDeleted"
    written = f"INSERT OR REPLACE INTO \"delete log\" VALUES ('{text}', NEW.Id, NEW.SystemModstamp)"
    gone = f"DELETE FROM \"delete log\" WHERE sobject = '{text}' AND id = NEW.Id"
    return (
        f'CREATE TRIGGER IF NOT EXISTS "{name} deleted" {changed} = 0 AND NEW.IsDeleted = 1 BEGIN {written}; END',
        f'CREATE TRIGGER IF NOT EXISTS "{name} undeleted" {changed} = 1 AND NEW.IsDeleted = 0 BEGIN {gone}; END',
    )
