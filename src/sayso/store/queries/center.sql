-- name: newest_pages
-- The version of the pages that is live.
SELECT version, body FROM page_version ORDER BY version DESC LIMIT 1;

-- name: page_draft
-- The draft of the pages.
SELECT revision, sealed, at FROM page_draft;

-- name: keep_draft
-- Keeps the draft in place of an earlier one.
INSERT INTO page_draft (revision, sealed, at) VALUES (1, $1, $2)
ON CONFLICT (one) DO UPDATE SET revision = page_draft.revision + 1, sealed = excluded.sealed, at = excluded.at
RETURNING revision;

-- name: drop_draft
-- Takes the draft away, if it is still the one that was meant (0: whichever it is).
DELETE FROM page_draft WHERE revision = $1 OR $1 = 0 RETURNING revision;

-- name: keep_pages
-- Keeps a new version of the pages; the key refuses a version that is taken.
INSERT INTO page_version (version, body, catalogue, at) VALUES ($1, $2, $3, $4);

-- name: entries_within
-- The entries of a shard between two ids: those of one millisecond, to find the one that a reference means.
SELECT id, at FROM entry WHERE shard = $1 AND id BETWEEN $2 AND $3 ORDER BY id;
