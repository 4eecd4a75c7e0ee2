-- Shipped migrations are never edited; add the next one.
-- Only `event` is ever written by the program. Triggers keep the rest from the events' details, so
-- that all other tables are a view that an audit recomputes (README.md has the keys that are read).
-- JSON functions stand in triggers only: SQLite 3.40 takes them for unsafe in a schema, and with
-- one in a CHECK a program that does not trust schemas could not even read.

-- The lowest schema number whose program may write this database.
CREATE TABLE compatibility (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  min_writer INTEGER NOT NULL
) STRICT;
INSERT INTO compatibility VALUES (1, 1);

-- Every change of phase that is allowed. '' stands for "not begun": NULL can't be part of a key.
CREATE TABLE legal_transition (
  from_phase TEXT NOT NULL,
  to_phase TEXT NOT NULL,
  PRIMARY KEY (from_phase, to_phase)
) STRICT, WITHOUT ROWID;
INSERT INTO legal_transition VALUES
  ('', 'stage'),
  ('stage', 'backup'), ('backup', 'swap'), ('swap', 'restart'), ('restart', 'doctor'),
  ('doctor', 'committed'),
  ('swap', 'doctor'), ('restart', 'committed'), ('swap', 'committed'),
  ('stage', 'rollback'), ('backup', 'rollback'), ('swap', 'rollback'), ('restart', 'rollback'),
  ('doctor', 'rollback'), ('rollback', 'rolled_back'),
  ('stage', 'needs_operator'), ('backup', 'needs_operator'), ('swap', 'needs_operator'),
  ('restart', 'needs_operator'), ('doctor', 'needs_operator'), ('rollback', 'needs_operator'),
  ('needs_operator', 'committed'), ('needs_operator', 'rolled_back'),
  ('needs_operator', 'abandoned');

-- The names of phases are those of legal_transition and "transaction": event_is_legal sees to it.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  transaction_id INTEGER REFERENCES "transaction" (id),  -- NULL: a note about the journal itself
  at_us INTEGER NOT NULL,
  from_phase TEXT,                                       -- NULL: it begins, or there is none
  to_phase TEXT,                                         -- NULL: there is no transaction
  detail TEXT NOT NULL,                                  -- one JSON object
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
  CHECK ((transaction_id IS NULL) = (to_phase IS NULL)),
  CHECK (from_phase IS NULL OR to_phase IS NOT NULL)
) STRICT;
CREATE INDEX event_of_transaction ON event (transaction_id);

CREATE TABLE "transaction" (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  kind TEXT NOT NULL CHECK (kind IN ('apply', 'rollback')),
  from_version TEXT,                     -- NULL: nothing was installed, or nobody knows what
  to_version TEXT,                       -- NULL: a rollback to before the first update
  phase TEXT NOT NULL CHECK (phase IN (
    'stage', 'backup', 'swap', 'restart', 'doctor', 'committed', 'rollback', 'rolled_back',
    'needs_operator', 'abandoned')),
  started_at_us INTEGER NOT NULL,
  finished_at_us INTEGER,                -- NULL: unfinished
  verdict TEXT CHECK (verdict IN ('passed', 'skipped', 'forced')),  -- NULL: none yet
  error TEXT,                            -- JSON object; NULL: none
  actor TEXT NOT NULL,                   -- JSON object
  boot_id TEXT NOT NULL,
  resumptions INTEGER NOT NULL DEFAULT 0,
  CHECK ((finished_at_us IS NULL) = (phase NOT IN ('committed', 'rolled_back', 'abandoned')))
) STRICT;
CREATE UNIQUE INDEX one_unfinished_transaction ON "transaction" (finished_at_us IS NULL)
  WHERE finished_at_us IS NULL;
CREATE INDEX transaction_in_phase ON "transaction" (phase);

CREATE TABLE file (
  transaction_id INTEGER NOT NULL REFERENCES "transaction" (id),
  name TEXT NOT NULL,
  position INTEGER NOT NULL,             -- in the plan
  destination TEXT NOT NULL,
  old_sha256 TEXT                        -- NULL: absent before, or not known yet
    CHECK (length(old_sha256) = 64 AND old_sha256 NOT GLOB '*[^0-9a-f]*'),
  new_sha256 TEXT                        -- NULL: absent afterwards
    CHECK (length(new_sha256) = 64 AND new_sha256 NOT GLOB '*[^0-9a-f]*'),
  size INTEGER NOT NULL CHECK (size >= 0),
  old_identity TEXT NOT NULL,
  new_identity TEXT NOT NULL DEFAULT '',
  committed INTEGER NOT NULL DEFAULT 0 CHECK (committed IN (0, 1)),
  PRIMARY KEY (transaction_id, name),
  UNIQUE (transaction_id, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX committed_file ON file (destination, transaction_id) WHERE committed = 1;

-- Bytes that only `prune` may drop.
CREATE TABLE kept (
  sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
  seq INTEGER NOT NULL REFERENCES event (seq)
) STRICT, WITHOUT ROWID;

-- Where the chain ends, and the highest id that was ever given to a transaction.
CREATE TABLE anchor (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  last_transaction INTEGER NOT NULL
) STRICT;
INSERT INTO anchor VALUES
  (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0);

CREATE TRIGGER event_is_legal BEFORE INSERT ON event BEGIN
  SELECT RAISE(ABORT, 'the detail is not a JSON object')
   WHERE iif(json_valid(NEW.detail), json_type(NEW.detail), '') <> 'object';
  SELECT RAISE(ABORT, 'the actor or the error is not a JSON object')
   WHERE json_type(NEW.detail, '$.actor') NOT IN ('object', 'null')
      OR json_type(NEW.detail, '$.error') NOT IN ('object', 'null');
  SELECT RAISE(ABORT, 'the event is not the next one of the chain') FROM anchor
   WHERE NEW.seq <> seq + 1 OR NEW.previous_hash <> hash;
  SELECT RAISE(ABORT, 'no such transition')
   WHERE NEW.from_phase IS NOT NEW.to_phase AND NOT EXISTS (
     SELECT 1 FROM legal_transition
      WHERE from_phase = coalesce(NEW.from_phase, '') AND to_phase = NEW.to_phase);
  SELECT RAISE(ABORT, 'the transaction is not in that phase, or is finished')
   WHERE NEW.from_phase IS NOT NULL AND NOT EXISTS (
     SELECT 1 FROM "transaction"
      WHERE id = NEW.transaction_id AND phase = NEW.from_phase AND finished_at_us IS NULL);
  SELECT RAISE(ABORT, 'the id of a new transaction is not above all others') FROM anchor
   WHERE NEW.from_phase IS NULL AND NEW.transaction_id <= last_transaction;
END;

CREATE TRIGGER event_begins AFTER INSERT ON event
WHEN NEW.transaction_id IS NOT NULL AND NEW.from_phase IS NULL BEGIN
  INSERT INTO "transaction" (id, kind, from_version, to_version, phase, started_at_us, actor,
                             boot_id)
  VALUES (NEW.transaction_id, NEW.detail ->> '$.plan.kind', NEW.detail ->> '$.plan.from_version',
          NEW.detail ->> '$.plan.to_version', NEW.to_phase, NEW.at_us,
          coalesce(json_extract(NEW.detail, '$.actor'), '{}'),
          coalesce(NEW.detail ->> '$.boot_id', ''));
  INSERT INTO file (transaction_id, name, position, destination, old_sha256, new_sha256, size,
                    old_identity)
  SELECT NEW.transaction_id, value ->> '$.name', key, value ->> '$.destination',
         value ->> '$.old.sha256', value ->> '$.new.sha256', coalesce(value ->> '$.new.size', 0),
         coalesce(value ->> '$.old.identity', '')
    FROM json_each(NEW.detail, '$.plan.files');
END;

-- These two run before the transaction is finished, since its files can't be changed afterwards;
-- and each only where it has something to do, since an UPDATE costs even where it finds no row.
CREATE TRIGGER event_tells_old_digests BEFORE INSERT ON event
WHEN NEW.from_phase IS NOT NULL AND json_type(NEW.detail, '$.files') = 'array' BEGIN
  UPDATE file SET old_sha256 = coalesce((
    SELECT iif(type = 'object', value ->> '$.old_sha256', NULL)
      FROM json_each(NEW.detail, '$.files')
     WHERE iif(type = 'object', value ->> '$.name', NULL) = file.name), old_sha256)
   WHERE transaction_id = NEW.transaction_id;
END;

CREATE TRIGGER event_commits_files BEFORE INSERT ON event WHEN NEW.to_phase = 'committed' BEGIN
  UPDATE file SET committed = 1, new_identity = coalesce((
    SELECT iif(type = 'object', value ->> '$.identity', NULL)
      FROM json_each(NEW.detail, '$.installed')
     WHERE iif(type = 'object', value ->> '$.name', NULL) = file.name), new_identity)
   WHERE transaction_id = NEW.transaction_id;
END;

CREATE TRIGGER event_goes_on AFTER INSERT ON event WHEN NEW.from_phase IS NOT NULL BEGIN
  UPDATE "transaction" SET
    phase = NEW.to_phase,
    finished_at_us =
      iif(NEW.to_phase IN ('committed', 'rolled_back', 'abandoned'), NEW.at_us, NULL),
    verdict = coalesce(NEW.detail ->> '$.verdict', verdict),
    error = coalesce(json_extract(NEW.detail, '$.error'), error),
    resumptions = resumptions
      + (NEW.from_phase = NEW.to_phase AND NEW.detail ->> '$.note' IS 'resumed')
   WHERE id = NEW.transaction_id;
END;

CREATE TRIGGER event_keeps AFTER INSERT ON event
WHEN NEW.from_phase IS NEW.to_phase AND NEW.detail ->> '$.note' = 'kept' BEGIN
  INSERT INTO kept (sha256, seq) VALUES (NEW.detail ->> '$.sha256', NEW.seq)
    ON CONFLICT (sha256) DO UPDATE SET seq = excluded.seq;
END;

CREATE TRIGGER event_prunes AFTER INSERT ON event
WHEN NEW.transaction_id IS NULL AND NEW.detail ->> '$.note' = 'pruned' BEGIN
  DELETE FROM kept WHERE sha256 = NEW.detail ->> '$.sha256';
END;

-- A journal that begins after a lost one goes on above the ids of that one.
CREATE TRIGGER event_is_anchored AFTER INSERT ON event BEGIN
  UPDATE anchor SET
    seq = NEW.seq,
    hash = NEW.hash,
    last_transaction = max(last_transaction, coalesce(
      NEW.transaction_id,
      iif(NEW.detail ->> '$.note' = 'journal_lost', NEW.detail ->> '$.head.transaction', NULL),
      0));
END;

CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event BEGIN
  SELECT RAISE(ABORT, 'an event is never changed');
END;
CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event BEGIN
  SELECT RAISE(ABORT, 'an event is never deleted');
END;
CREATE TRIGGER finished_transaction_is_not_changed BEFORE UPDATE ON "transaction"
WHEN OLD.finished_at_us IS NOT NULL OR NEW.id <> OLD.id BEGIN
  SELECT RAISE(ABORT, 'a finished transaction is never changed');
END;
CREATE TRIGGER transaction_is_not_deleted BEFORE DELETE ON "transaction" BEGIN
  SELECT RAISE(ABORT, 'a transaction is never deleted');
END;
CREATE TRIGGER finished_file_is_not_changed BEFORE UPDATE ON file
WHEN (SELECT finished_at_us FROM "transaction" WHERE id = OLD.transaction_id) IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a file of a finished transaction is never changed');
END;
CREATE TRIGGER file_is_not_deleted BEFORE DELETE ON file BEGIN
  SELECT RAISE(ABORT, 'a file of a transaction is never deleted');
END;
