-- What the busiest statements keep, a value for each row: for an array of each column the driver looks at every value several times
-- to tell whether it is an array itself, which took a tenth of all the time of a write.

CREATE TYPE kept_entry AS (
    shard smallint, id uuid, sub bytea, ver bigint, at bigint, kind text, act text, brand text, channel text, category text, src text,
    effect text, leaf bytea, sealed bytea
);

CREATE TYPE kept_state AS (shard smallint, id bytea, version bigint, length bigint, head bytea, last_at bigint, state bytea);

CREATE TYPE kept_subject AS (
    shard smallint, id bytea, version bigint, length bigint, head bytea, last_at bigint, state bytea, kind text, pseudonym bytea,
    sealed bytea, wrapped bytea
);

CREATE TYPE kept_work AS (shard smallint, connection uuid, sub bytea, origin text);

CREATE TYPE kept_answer AS (shard smallint, connection uuid, sub bytea, lease uuid, wanted bigint, told bytea);

CREATE TYPE kept_attempt AS (
    shard smallint, id uuid, connection uuid, sub bytea, at bigint, milliseconds integer, status smallint, outcome text, delivery uuid,
    day date, sealed bytea
);
