-- What was promised to senders who asked with `reserve`: it counts against caps as if it had been sent, until the message itself is told.

CREATE TABLE reservation (
    shard smallint NOT NULL,
    who bytea NOT NULL,                    -- pseudonym; the subject id (32 bytes) of an address that nobody has seen yet
    id uuid NOT NULL,                      -- the check that promised it
    at bigint NOT NULL,
    brand text NOT NULL,
    channel text NOT NULL,
    category text NOT NULL,
    PRIMARY KEY (shard, who, id)
);
CREATE INDEX reservation_by_time ON reservation (at);
