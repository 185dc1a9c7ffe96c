"""The one list of migrations of `workspace.db`; its length is the schema's version.

Never change a migration that was released: add the next one.
"""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE clips (
        id INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL UNIQUE,
        uri TEXT NOT NULL,
        info TEXT NOT NULL
    );
    CREATE TABLE frames (
        clip INTEGER NOT NULL REFERENCES clips(id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        pts INTEGER NOT NULL,
        base_num INTEGER NOT NULL,
        base_den INTEGER NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (clip, number)
    ) WITHOUT ROWID;
    CREATE TABLE faces (
        id INTEGER PRIMARY KEY,
        clip INTEGER NOT NULL,
        frame INTEGER NOT NULL,
        position INTEGER NOT NULL,
        x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
        score REAL NOT NULL,
        points5 BLOB,
        landmarks BLOB,
        track INTEGER NOT NULL DEFAULT -1,
        identity BLOB,
        UNIQUE (clip, frame, position),
        FOREIGN KEY (clip, frame) REFERENCES frames(clip, number) ON DELETE CASCADE
    );
    CREATE TABLE masks (
        face INTEGER NOT NULL REFERENCES faces(id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        matrix BLOB NOT NULL,
        png BLOB NOT NULL,
        PRIMARY KEY (face, name)
    ) WITHOUT ROWID;
    CREATE TABLE progress (
        clip INTEGER NOT NULL REFERENCES clips(id) ON DELETE CASCADE,
        work TEXT NOT NULL,
        next_frame INTEGER NOT NULL,
        PRIMARY KEY (clip, work)
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        command TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        outcome TEXT,
        settings TEXT NOT NULL
    );
    """,
    """
    ALTER TABLE frames ADD COLUMN shot INTEGER NOT NULL DEFAULT -1;
    """,
    """
    CREATE TABLE timelines (
        clip INTEGER PRIMARY KEY REFERENCES clips(id) ON DELETE CASCADE,
        file TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL
    );
    CREATE TABLE timeline_revisions (
        clip INTEGER NOT NULL REFERENCES timelines(clip) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        made TEXT NOT NULL,
        what TEXT NOT NULL,
        text BLOB NOT NULL,
        PRIMARY KEY (clip, number)
    ) WITHOUT ROWID;
    """,
)
