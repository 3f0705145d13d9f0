-- What people's own pages say and how they look: every version that was live, and the one draft.

CREATE TABLE page_version (
    version integer PRIMARY KEY,           -- from 1; 0 is built in
    body text NOT NULL,                    -- canonical JSON: texts by language, texts, colours and logo by brand; no personal data
    catalogue integer NOT NULL,            -- the version of the catalogue that went live with it
    at bigint NOT NULL
);

CREATE TABLE page_draft (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision integer NOT NULL,             -- counts up with every change of the draft
    sealed bytea NOT NULL,                 -- canonical JSON, under the key-encryption key: it names colleagues' addresses
    at bigint NOT NULL
);
