//! Accounts, people, log-ins, keys.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        run(manager, INDEXES).await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are. Tokens, links' use, throttles and keys are looked up before an account is
/// known, by the platform.
const WALLS: &[(&str, RowsOf)] = &[
    ("account", RowsOf::Account("id")),
    ("person", RowsOf::Members),
    ("membership", RowsOf::Account("account_id")),
    ("session", RowsOf::Account("account_id")),
    ("refresh_token", RowsOf::Platform),
    ("one_time_link", RowsOf::Account("account_id")),
    ("api_key", RowsOf::Account("account_id")),
    ("login_throttle", RowsOf::Platform),
    ("signing_key", RowsOf::Platform),
];

const TABLES: &[(&str, &str)] = &[
    (
        "account",
        "id UUID NOT NULL PRIMARY KEY,
         name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
         kind SMALLINT NOT NULL CHECK (kind IN (0, 1)),
         status SMALLINT NOT NULL CHECK (status IN (0, 1, 2)),
         default_region TEXT CHECK (length(default_region) = 2),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "person",
        "id UUID NOT NULL PRIMARY KEY,
         email TEXT NOT NULL CONSTRAINT person_email_unique UNIQUE CHECK (length(email) <= 254),
         name TEXT CHECK (length(name) <= 200),
         password_hash TEXT,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "membership",
        "account_id UUID NOT NULL REFERENCES account (id),
         person_id UUID NOT NULL REFERENCES person (id),
         role SMALLINT NOT NULL CHECK (role BETWEEN 0 AND 5),
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, person_id)",
    ),
    (
        "session",
        "id UUID NOT NULL PRIMARY KEY,
         person_id UUID NOT NULL REFERENCES person (id),
         account_id UUID NOT NULL REFERENCES account (id),
         created_at_ms BIGINT NOT NULL,
         last_used_at_ms BIGINT NOT NULL,
         expires_at_ms BIGINT NOT NULL,
         revoked_at_ms BIGINT",
    ),
    (
        "refresh_token",
        "hash BYTEA NOT NULL PRIMARY KEY,
         session_id UUID NOT NULL REFERENCES session (id),
         created_at_ms BIGINT NOT NULL,
         used_at_ms BIGINT",
    ),
    (
        "one_time_link",
        "hash BYTEA NOT NULL PRIMARY KEY,
         purpose SMALLINT NOT NULL CHECK (purpose IN (0)),
         account_id UUID NOT NULL REFERENCES account (id),
         email TEXT,
         created_at_ms BIGINT NOT NULL,
         expires_at_ms BIGINT NOT NULL,
         used_at_ms BIGINT",
    ),
    (
        "api_key",
        "id UUID NOT NULL PRIMARY KEY,
         account_id UUID NOT NULL REFERENCES account (id),
         name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
         lookup TEXT NOT NULL CONSTRAINT api_key_lookup_unique UNIQUE,
         hash BYTEA NOT NULL,
         mode SMALLINT NOT NULL CHECK (mode IN (0, 1)),
         scopes TEXT NOT NULL,
         created_by UUID REFERENCES person (id),
         created_at_ms BIGINT NOT NULL,
         expires_at_ms BIGINT,
         revoked_at_ms BIGINT,
         last_used_at_ms BIGINT,
         rotated_from UUID,
         version INTEGER NOT NULL",
    ),
    (
        "login_throttle",
        "key BYTEA NOT NULL PRIMARY KEY,
         failures INTEGER NOT NULL,
         allowed_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "signing_key",
        "kid TEXT NOT NULL PRIMARY KEY,
         sealed_private BYTEA NOT NULL,
         public_key BYTEA NOT NULL,
         created_at_ms BIGINT NOT NULL,
         retired_at_ms BIGINT",
    ),
];

const INDEXES: &[&str] = &[
    "CREATE INDEX membership_person ON membership (person_id)",
    "CREATE INDEX session_person ON session (person_id)",
    "CREATE INDEX refresh_token_session ON refresh_token (session_id)",
    "CREATE INDEX api_key_account ON api_key (account_id, id)",
    // What ended or changed since a node last looked, whose streams it has to end.
    "CREATE INDEX membership_updated ON membership (updated_at_ms)",
    "CREATE INDEX session_revoked ON session (revoked_at_ms) WHERE revoked_at_ms IS NOT NULL",
    "CREATE INDEX api_key_revoked ON api_key (revoked_at_ms) WHERE revoked_at_ms IS NOT NULL",
    "CREATE INDEX api_key_expires ON api_key (expires_at_ms) WHERE expires_at_ms IS NOT NULL",
    // What is over and can be deleted.
    "CREATE INDEX session_expires ON session (expires_at_ms)",
    "CREATE INDEX one_time_link_expires ON one_time_link (expires_at_ms)",
    "CREATE INDEX one_time_link_account ON one_time_link (account_id)",
    "CREATE INDEX login_throttle_updated ON login_throttle (updated_at_ms)",
    // There is one operator.
    "CREATE UNIQUE INDEX account_one_operator ON account (kind) WHERE kind = 1",
];
